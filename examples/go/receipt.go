package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// extra is what a receipt brings along. Its bytes are RFC 8785, so a raw value is what was hashed; were it another, the hash would not fit.
type extra struct {
	Opening struct {
		V      int
		K, H   string
		Fields []json.RawMessage
	}
	Salts  map[string]string          `json:"value_salts"`
	Values map[string]json.RawMessage `json:"values"`
}

func digest(prefix, name, salt string, value []byte) ([]byte, error) {
	raw, err := hex.DecodeString(salt)
	hash := sha256.Sum256(append(append([]byte(prefix+name+"\x00"), raw...), value...))
	return hash[:], err
}

// rootOf splits digests at the largest power of two below their number.
func rootOf(digests [][]byte) []byte {
	if len(digests) == 1 {
		return digests[0]
	}
	middle := 1
	for middle*2 < len(digests) {
		middle *= 2
	}
	hash := sha256.Sum256(append(append([]byte{1}, rootOf(digests[:middle])...), rootOf(digests[middle:])...))
	return hash[:]
}

// leafOf recomputes the entry from the opening: shown fields from name, salt and value, hidden ones as they stand (docs/decisions/0001-formats.md).
func leafOf(e extra) (tlog.Hash, map[string]json.RawMessage, error) {
	shown := map[string]json.RawMessage{}
	var digests [][]byte
	for _, raw := range e.Opening.Fields {
		var hidden, name, salt string
		var parts []json.RawMessage
		var one []byte
		err := json.Unmarshal(raw, &hidden)
		if err == nil {
			one, err = hex.DecodeString(hidden)
		} else if err = json.Unmarshal(raw, &parts); err == nil && len(parts) == 3 && json.Unmarshal(parts[0], &name) == nil && json.Unmarshal(parts[1], &salt) == nil {
			one, err = digest("ecluse/1/", name, salt, parts[2])
			shown[name] = parts[2]
		}
		if err != nil || len(one) != sha256.Size {
			return tlog.Hash{}, nil, errors.New("a field is neither hidden nor shown")
		}
		digests = append(digests, one)
	}
	if len(digests) == 0 || e.Opening.V != 1 {
		return tlog.Hash{}, nil, errors.New("no opening of version 1")
	}
	leaf := fmt.Sprintf(`{"c":"%x","h":"%s","k":"%s","v":1}`, rootOf(digests), e.Opening.H, e.Opening.K)
	return tlog.RecordHash([]byte(leaf)), shown, nil
}

// checkReceipt does the steps of C2SP tlog-proof, and holds each value that the file shows against its digest in the entry.
func checkReceipt(k keys, file []byte) error {
	var index int64
	var e extra
	var proof tlog.RecordProof
	head, rest := cut(file)
	said, rest := cut(rest)
	numbered, rest := cut(rest)
	if _, err := fmt.Sscanf(string(numbered), "index %d", &index); err != nil || string(head) != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a receipt")
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(said), "extra "))
	if err != nil || json.Unmarshal(raw, &e) != nil {
		return errors.New("no opening in it")
	}
	for line, rest := cut(rest); len(line) > 0; line, rest = cut(rest) {
		hash, err := tlog.ParseHash(string(line))
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	origin, tree, witnesses, err := k.open(file[bytes.Index(file, []byte("\n\n"))+2:])
	if err != nil {
		return err
	}
	leaf, shown, err := leafOf(e)
	if err == nil {
		err = tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf)
	}
	if err != nil {
		return err
	}
	digests := map[string]string{}
	json.Unmarshal(shown["values"], &digests)
	for name, value := range e.Values {
		one, err := digest("ecluse/1/value/", name, e.Salts[name], value)
		if err != nil || hex.EncodeToString(one) != digests[name] {
			return fmt.Errorf("%s is not what was given", name)
		}
	}
	fmt.Printf("entry %d of %s, in a tree of %d, cosigned by %d of yours; %d values proven\n", index, origin, tree.N, len(witnesses), len(e.Values))
	var names []string
	for name := range shown {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Printf("  %-12s %s\n", name, shown[name])
	}
	return nil
}

// cut takes the first line off.
func cut(raw []byte) ([]byte, []byte) {
	line, rest, _ := bytes.Cut(raw, []byte("\n"))
	return line, rest
}
