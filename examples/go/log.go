package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const mostBytes = 1 << 20

// site reads tiles of 256 hashes as C2SP tlog-tiles has them; the library checks each against the tree.
type site struct{ address string }

func (s site) get(path string) ([]byte, error) {
	answer, err := http.Get(s.address + "/" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, mostBytes))
}

func (s site) Height() int                     { return 8 }
func (s site) SaveTiles([]tlog.Tile, [][]byte) {}
func (s site) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range tiles {
		raw, err := s.get("tile/" + strings.TrimPrefix(tile.Path(), "tile/8/"))
		if err != nil {
			return nil, err
		}
		data = append(data, raw)
	}
	return data, nil
}

// checkLog reads the checkpoint and every hash under it, and shows that the log still begins with what an older checkpoint said.
func checkLog(k keys, address string, old []byte) error {
	where := site{strings.TrimSuffix(address, "/")}
	signed, err := where.get("checkpoint")
	if err != nil {
		return err
	}
	origin, tree, witnesses, err := k.open(signed)
	if err != nil {
		return err
	}
	reader, leaves := tlog.TileHashReader(tree, where), make([]int64, tree.N)
	for n := range leaves {
		leaves[n] = tlog.StoredHashIndex(0, int64(n))
	}
	if _, err := reader.ReadHashes(leaves); err != nil {
		return err
	}
	fmt.Printf("%s: %d entries under root %v, cosigned by %d of yours\n", origin, tree.N, tree.Hash, len(witnesses))
	if old == nil {
		return nil
	}
	before, earlier, _, err := keys{logs: k.logs}.open(old)
	if err != nil || before != origin || earlier.N > tree.N || earlier.N < 1 {
		return fmt.Errorf("the older checkpoint is not one of this log before now: %v", err)
	}
	proof, err := tlog.ProveTree(tree.N, earlier.N, reader)
	if err == nil {
		err = tlog.CheckTree(proof, tree.N, tree.Hash, earlier.N, earlier.Hash)
	}
	if err == nil {
		fmt.Printf("it extends the older checkpoint of %d entries: nothing of them was changed, removed or moved\n", earlier.N)
	}
	return err
}
