package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxFile bounds a file that a variable names.
const maxFile = 4 << 20

// file reads ${file(PATH)} or ${file(PATH):KEY}. What is neither YAML nor JSON nor a
// program is text.
func (s *source) file(v *variables, a address) (*node, error) {
	if len(a.params) == 0 || a.params[0] == "" {
		return nil, fmt.Errorf("${%s} names no file; write ${file(PATH)}", a.text)
	}
	path := a.params[0]
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.dir, path)
	}
	if isProgram(path) {
		return s.run(v, path, a)
	}
	n, err := s.load(path, a.pos)
	if n == nil || err != nil || a.key == "" {
		return n, err
	}
	return v.lookup(n, a.key)
}

func (s *source) load(path string, pos Pos) (*node, error) {
	if n, ok := s.files[path]; ok {
		return n, nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxFile) {
		err = fmt.Errorf("not a regular file of at most %d bytes", maxFile)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("${file(%s)}: %w", path, err)
	}
	n := given(string(data), true, pos)
	if slices.Contains([]string{".yml", ".yaml", ".json", ".tfstate"}, strings.ToLower(filepath.Ext(path))) {
		var problems []Problem
		if n, problems = parse(path, data); len(problems) > 0 {
			for _, p := range problems {
				s.fail(p)
			}
			n = &node{pos: pos, kind: broken}
		}
	}
	s.files[path] = n
	return n, nil
}

// fromJSON makes a node of JSON, whose parts are all at one place. Strings in it are
// literal, or may hold variables.
func fromJSON(data []byte, pos Pos, literal bool) (*node, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return readJSON(d, pos, literal)
}

func readJSON(d *json.Decoder, pos Pos, literal bool) (*node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	n := &node{pos: pos, literal: literal}
	switch token := token.(type) {
	case string:
		n.kind, n.text = text, token
	case json.Number:
		n.kind, n.text = number, token.String()
	case bool:
		return constant(token, pos), nil
	case json.Delim:
		n.kind = list
		if token == '{' {
			n.kind = object
		}
		for d.More() {
			var key json.Token
			if n.kind == object {
				if key, err = d.Token(); err != nil {
					return nil, err
				}
			}
			item, err := readJSON(d, pos, literal)
			if err != nil {
				return nil, err
			}
			if n.kind == list {
				n.items = append(n.items, item)
				continue
			}
			n.fields = append(n.fields, field{key.(string), pos, item})
		}
		_, err = d.Token()
	}
	return n, err
}
