package main

import (
	"errors"
	"fmt"
	"io/fs"
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

// rootKey says what the place of the root key is worth, once there is one.
func (d *doctor) rootKey() (finding, bool) {
	f := finding{Check: "root key", Status: statusOK}
	provider, err := rootKey(d.dir, d.key)
	if err != nil {
		f.Status, f.Detail = statusError, err.Error()
		return f, true
	}
	standing, err := root.Stand(provider, d.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return f, false
	}
	if err != nil {
		f.Status, f.Detail = statusError, err.Error()
		return f, true
	}
	if f.Detail = standing.Statement; standing.SameDisk {
		f.Status, f.Advice = statusWarning, "to protect the disk as well, name another place with --root-key"
	}
	return f, true
}
