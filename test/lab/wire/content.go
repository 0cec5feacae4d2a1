package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io"
)

// Content is the same for everyone: block after block of blockSize bytes, each
// the same noise with its number (64 bits, big endian) in front. A byte that is
// lost, doubled or moved changes the checksum.
const blockSize = 1 << 16

var noise = func() []byte {
	block := make([]byte, blockSize)
	state := uint32(2463534242)
	for at := range block {
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		block[at] = byte(state)
	}
	return block
}()

// writeContent writes the first n bytes of the content.
func writeContent(to io.Writer, n int64) error {
	block := append([]byte(nil), noise...)
	for number := uint64(0); n > 0; number++ {
		binary.BigEndian.PutUint64(block, number)
		size := min(n, blockSize)
		if _, err := to.Write(block[:size]); err != nil {
			return err
		}
		n -= size
	}
	return nil
}

func checksum(of hash.Hash) string { return hex.EncodeToString(of.Sum(nil)) }

func contentSum(n int64) string {
	digest := sha256.New()
	writeContent(digest, n)
	return checksum(digest)
}
