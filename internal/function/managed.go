package function

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

// Start is how a function of a managed runtime is started.
type Start struct {
	Command []string          // executable and arguments of the runtime client
	Env     map[string]string // added to the function's environment, which wins
	Preboot bool              // the client may start before it knows the function
}

var managed = regexp.MustCompile(`^nodejs\d+\.(x|\d+)$`)

// IsManaged reports whether a runtime brings its own client: the artifact then
// holds only the handler.
func IsManaged(runtime string) bool { return managed.MatchString(runtime) }

// LayerDir names the directory that holds a function's layers, merged in order:
// the SHA-256 of the SHA-256s of their zips, which are in hex, one after the other.
func LayerDir(layers []string) string {
	sum := sha256.Sum256([]byte(strings.Join(layers, "")))
	return hex.EncodeToString(sum[:])
}
