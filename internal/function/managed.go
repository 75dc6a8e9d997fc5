package function

import "regexp"

// Start is how a function of a managed runtime is started.
type Start struct {
	Command []string          // executable and arguments of the runtime client
	Env     map[string]string // added to the function's environment, which wins
	Preboot bool              // the client may start before it knows the function
	Prepare []string          // arguments with which the client compiles the function; nil: it cannot
}

var managed = regexp.MustCompile(`^nodejs\d+\.(x|\d+)$`)

// IsManaged reports whether a runtime brings its own client: the artifact then
// holds only the handler.
func IsManaged(runtime string) bool { return managed.MatchString(runtime) }
