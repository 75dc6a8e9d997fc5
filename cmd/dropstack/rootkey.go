package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dropstack/dropstack/internal/secret/root"
)

// rootKey reads where the root key is. Its previous key is, with env, in the
// variable VARIABLE_PREVIOUS.
func rootKey(data, place string) (root.Provider, error) {
	kind, rest, _ := strings.Cut(place, ":")
	switch {
	case place == "":
		return root.File{Path: filepath.Join(data, "root.key")}, nil
	case rest == "":
	case kind == "file":
		return root.File{Path: rest}, nil
	case kind == "env":
		if os.Getenv(rest) == "" {
			return nil, fmt.Errorf("%w: --root-key %s: the variable %s is not set", errUsage, place, rest)
		}
		return root.Values{Name: "$" + rest, Current: os.Getenv(rest), Previous: os.Getenv(rest + "_PREVIOUS")}, nil
	case kind == "systemd":
		return root.Credential{Dir: os.Getenv("CREDENTIALS_DIRECTORY"), Name: rest}, nil
	case kind == "age":
		if identity, file, ok := strings.Cut(rest, ":"); ok {
			return root.Age{Identity: identity, Path: file}, nil
		}
	}
	return nil, fmt.Errorf("%w: --root-key %q: file:PATH, env:VARIABLE, systemd:CREDENTIAL or age:IDENTITY:FILE", errUsage, place)
}
