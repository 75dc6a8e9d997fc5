package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dropstack/dropstack/services/abuse/access"
	"github.com/dropstack/dropstack/services/abuse/detect"
)

// local judges log files, in the order given, and prints a verdict a line.
func local(files []string, getenv func(string) string, stdout, stderr io.Writer) error {
	if len(files) == 0 {
		return errors.New("name files of CloudFront's standard log; variables set the thresholds, see README.md")
	}
	set, err := readSettings(getenv)
	if err != nil {
		return err
	}
	d, out := detect.New(set.rules, nil), json.NewEncoder(stdout)
	for _, file := range files {
		if err := judgeFile(d, file, out, stderr); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func judgeFile(d *detect.Detector, file string, out *json.Encoder, stderr io.Writer) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var failed error
	bad, err := access.Read(f, func(r access.Record) {
		if v, over := d.Add(r); over {
			failed = errors.Join(failed, out.Encode(v))
		}
		for _, v := range d.Outliers() {
			failed = errors.Join(failed, out.Encode(v))
		}
	})
	if bad > 0 {
		fmt.Fprintf(stderr, "%s: %d lines say nothing\n", file, bad)
	}
	d.Forget()
	return errors.Join(err, failed)
}
