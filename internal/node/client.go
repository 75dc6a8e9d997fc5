package node

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed client/*.cjs
var client embed.FS

// entry is the client's file that Node is started with.
const entry = "main.cjs"

// file is one of the client's.
type file struct {
	name    string
	content []byte
}

// Write puts the client into a directory of dir named after its content, and
// returns the file to start Node with. Every user may read it; dir itself has to
// let them in. What is there and whole is left alone, so that processes which run
// from it are not disturbed; what is damaged is replaced.
func Write(dir string) (path string, err error) {
	files, sum, err := contents()
	if err != nil {
		return "", fmt.Errorf("write the Node client: %w", err)
	}
	target := filepath.Join(dir, sum)
	path = filepath.Join(target, entry)
	if whole(target, files) {
		return path, nil
	}
	if err := place(dir, target, files); err != nil && !whole(target, files) { // another process may have been faster
		return "", fmt.Errorf("write the Node client: %w", err)
	}
	return path, nil
}

func contents() (files []file, sum string, err error) {
	entries, err := client.ReadDir("client")
	if err != nil {
		return nil, "", err
	}
	hash := sha256.New()
	for _, e := range entries {
		content, err := client.ReadFile("client/" + e.Name())
		if err != nil {
			return nil, "", err
		}
		fmt.Fprintf(hash, "%s %d\n", e.Name(), len(content))
		hash.Write(content)
		files = append(files, file{e.Name(), content})
	}
	return files, hex.EncodeToString(hash.Sum(nil)[:8]), nil
}

// place makes target appear whole: written beside it, then renamed.
func place(dir, target string, files []file) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(dir, ".client-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	fresh := filepath.Join(temp, "fresh")
	if err := fill(fresh, files); err != nil {
		return err
	}
	if err := os.Rename(target, filepath.Join(temp, "damaged")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Rename(fresh, target)
}

func fill(dir string, files []file) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // whatever the umask
		return err
	}
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := os.WriteFile(path, f.content, 0o644); err != nil {
			return err
		}
		if err := os.Chmod(path, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// whole reports whether a directory holds just these files.
func whole(dir string, files []file) bool {
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(dir, f.name))
		if err != nil || string(content) != string(f.content) {
			return false
		}
	}
	return true
}
