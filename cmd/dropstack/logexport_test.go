package main

import (
	"path/filepath"
	"testing"
)

// TestExportsStayInTheirDirectory has groups with names that lead out of it.
func TestExportsStayInTheirDirectory(t *testing.T) {
	for name, want := range map[string]string{
		"aws/lambda/f/2026-11-26-00.parquet": "out/aws/lambda/f/2026-11-26-00.parquet",
		"../out-of-it/2026-11-26-00.parquet": "",
		"a/../../b/2026-11-26-00.parquet":    "",
		"/etc/2026-11-26-00.parquet":         "",
	} {
		got, err := below("out", name)
		if filepath.ToSlash(got) != want || (err != nil) != (want == "") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if got, err := below(".", "a.parquet"); err != nil || got != "a.parquet" {
		t.Errorf("here: got %q, %v", got, err)
	}
}
