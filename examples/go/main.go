// Verifies an Écluse log, and receipts from it, with Go's library for such logs (golang.org/x/mod/sumdb: note, tlog): it shares no code with Écluse.
//
//	verify -log VKEY [-witness VKEY]... [-quorum K] receipt FILE.tlog-proof       offline
//	verify -log VKEY [-witness VKEY]... [-quorum K] log ADDRESS [OLD-CHECKPOINT]  such as https://gate.example/ledger/main
//
// The keys are those that were handed over on paper or in a policy file; K witnesses at least must have signed. Exit code 0: it holds; 1: it does not.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type keys struct {
	logs, witnesses []note.Verifier
	quorum          int
}

// open checks a signed checkpoint: by a key of the log that it names, and by as many witnesses as asked for.
func (k keys) open(signed []byte) (string, tlog.Tree, []string, error) {
	var tree tlog.Tree
	opened, err := note.Open(signed, note.VerifierList(append(append([]note.Verifier{}, k.logs...), k.witnesses...)...))
	if err != nil {
		return "", tree, nil, err
	}
	lines := strings.Split(opened.Text, "\n") // origin, size, root, and the end of the last line
	if len(lines) < 4 {
		return "", tree, nil, errors.New("no checkpoint")
	}
	if _, err := fmt.Sscanf(lines[1], "%d", &tree.N); err != nil || fmt.Sprint(tree.N) != lines[1] {
		return "", tree, nil, errors.New("no size")
	}
	if tree.Hash, err = tlog.ParseHash(lines[2]); err != nil {
		return "", tree, nil, err
	}
	byLog, seen := false, map[string]bool{}
	for _, one := range opened.Sigs {
		byLog = byLog || one.Name == lines[0] && has(k.logs, one)
		seen[one.Name] = seen[one.Name] || has(k.witnesses, one)
	}
	var witnesses []string
	for name, yes := range seen {
		if yes {
			witnesses = append(witnesses, name)
		}
	}
	if !byLog || len(witnesses) < k.quorum {
		return "", tree, nil, fmt.Errorf("signed by the log: %v, by %d of the %d witnesses asked for", byLog, len(witnesses), k.quorum)
	}
	return lines[0], tree, witnesses, nil
}

func has(verifiers []note.Verifier, signature note.Signature) bool {
	for _, one := range verifiers {
		if one.Name() == signature.Name && one.KeyHash() == signature.Hash {
			return true
		}
	}
	return false
}

func main() {
	var k keys
	flag.Func("log", "verifier key of the log", func(text string) error { return add(&k.logs, text, note.NewVerifier) })
	flag.Func("witness", "verifier key of a witness", func(text string) error { return add(&k.witnesses, text, newWitness) })
	flag.IntVar(&k.quorum, "quorum", 0, "witnesses that have to have signed")
	flag.Parse()
	var err error
	var read []byte
	if flag.NArg() == 2 && flag.Arg(0) == "receipt" {
		if read, err = os.ReadFile(flag.Arg(1)); err == nil {
			err = checkReceipt(k, read)
		}
	} else if flag.NArg() >= 2 && flag.NArg() <= 3 && flag.Arg(0) == "log" {
		if flag.NArg() == 3 {
			read, err = os.ReadFile(flag.Arg(2))
		}
		if err == nil {
			err = checkLog(k, flag.Arg(1), read)
		}
	} else {
		err = errors.New("usage: verify -log VKEY [-witness VKEY]... [-quorum K] receipt FILE | log ADDRESS [OLD-CHECKPOINT]")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
}

func add(list *[]note.Verifier, text string, read func(string) (note.Verifier, error)) error {
	verifier, err := read(text)
	*list = append(*list, verifier)
	return err
}
