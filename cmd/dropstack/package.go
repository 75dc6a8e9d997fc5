package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/dropstack/dropstack/internal/build"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/spec"
	"github.com/spf13/cobra"
)

// buildFlags are the flags of commands that build.
func (c *cli) buildFlags(command *cobra.Command) {
	command.Flags().BoolVar(&c.clean, "clean", false, "build a copy of the sources, with what the lockfile says, in a sandbox without a network")
}

// cleanly is how a clean build goes, nil for another; done ends its sandboxes.
func (c *cli) cleanly() (clean *build.Clean, done func(), err error) {
	if !c.clean {
		return nil, func() {}, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, nil, fmt.Errorf("find a directory for dependencies: %w", err)
	}
	boxes := &sandbox.Maker{Log: slog.New(slog.DiscardHandler)}
	if _, err := boxes.Choose("auto"); err != nil {
		return nil, nil, err
	}
	return &build.Clean{Cache: filepath.Join(cache, "dropstack", "builds"), Boxes: boxes}, func() { boxes.Close() }, nil
}

// revisionFile is what a package says besides its artifacts.
const revisionFile = "revision.json"

func (c *cli) pack() *cobra.Command {
	out := ".dropstack"
	command := &cobra.Command{
		Use:   "package [DIRECTORY]",
		Short: "Build what deploy would use, without deploying",
		Long: `Builds the functions and writes what deploy would use: the artifacts, named by what
is in them, and revision.json, which holds the values of variables: secrets too, if
there are some. The same sources give the same artifacts, on another machine and on
another day; with --clean nothing but the sources and what the lockfile says goes in.`,
		Example: "  dropstack package --package dist\n  dropstack package --clean\n  dropstack deploy --package dist",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			if err := os.MkdirAll(out, 0o755); err != nil {
				return err
			}
			pkg, err := c.prepare(cmd.Context(), dir, c.specOptions(cmd), out)
			if err != nil {
				return err
			}
			doc, err := json.MarshalIndent(pkg.Revision, "", "  ")
			if err == nil {
				err = os.WriteFile(filepath.Join(out, revisionFile), doc, 0o600)
			}
			if err != nil {
				return err
			}
			if c.json {
				c.writeJSON(c.stdout, map[string]any{"revision": pkg.Revision, "artifacts": pkg.Artifacts, "toolchain": pkg.Toolchain})
				return nil
			}
			for _, sha := range slices.Sorted(maps.Keys(pkg.Artifacts)) {
				fmt.Fprintf(c.stdout, "%s  %s\n", sha, pkg.Artifacts[sha])
			}
			if pkg.Toolchain != "" {
				fmt.Fprintln(c.stderr, "built with "+pkg.Toolchain)
			}
			return nil
		},
	}
	command.Flags().StringVarP(&out, "package", "p", out, "directory for the artifacts")
	c.buildFlags(command)
	return command
}

// packaged reads a package that was made before, nil if none is asked for.
func (how deployment) packaged() (*deploy.Package, error) {
	if how.from == "" {
		return nil, nil
	}
	path := filepath.Join(how.from, revisionFile)
	doc, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Errorf(fault.Invalid, "%s holds no %s; `dropstack package --package %s` makes it", how.from, revisionFile, how.from)
	}
	if err != nil {
		return nil, err
	}
	p := &deploy.Package{Service: &spec.Service{File: path}, Revision: &deploy.Revision{}, Artifacts: map[string]string{}}
	if err := json.Unmarshal(doc, p.Revision); err != nil {
		return nil, fault.Errorf(fault.Invalid, "%s: %w", path, err)
	}
	for _, f := range p.Revision.Functions {
		for _, sha := range append([]string{f.Artifact}, f.Layers...) {
			zip := filepath.Join(how.from, sha+".zip")
			if _, err := os.Stat(zip); err != nil {
				return nil, fault.Errorf(fault.Invalid, "%s: the artifact of function %s is missing: %w", path, f.Name, err)
			}
			p.Artifacts[sha] = zip
		}
	}
	return p, nil
}
