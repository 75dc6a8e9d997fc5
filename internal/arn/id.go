package arn

import (
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"strings"
)

// ID is a name of n characters (at most 32) of 0-9 and a-z, always the same for
// the same parts: for what AWS gives random names, and that must keep its name
// across deployments and restarts.
func ID(n int, parts ...string) string {
	sum := hash(parts)
	if n <= 10 { // 64 bits have more than that
		sum = sum[:8]
	}
	text := strings.Repeat("0", n) + new(big.Int).SetBytes(sum).Text(36)
	return text[len(text)-n:]
}

// UUID is likewise, in the form of a UUID.
func UUID(parts ...string) string {
	sum := hash(parts)
	sum[6], sum[8] = sum[6]&0x0f|0x50, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// APIID is the id of a stack's API of a kind, "REST" or "HTTP": spec names APIs by it
// before the gateway has them.
func APIID(stack, kind string) string { return ID(10, stack, kind) }

func hash(parts []string) []byte {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return sum[:]
}
