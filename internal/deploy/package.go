package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/build"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/spec"
)

// PackageOptions say how a service is read and where its artifacts go.
type PackageOptions struct {
	Spec   spec.Options
	OutDir string // artifacts are written here
	// Clean has the service built from what it declares alone; nil: in its directory.
	Clean *build.Clean
	// Progress is told what is being done, in a few words. Optional.
	Progress func(string)
}

// Package is a service that is ready to be deployed.
type Package struct {
	Service   *spec.Service
	Revision  *Revision
	Artifacts map[string]string // path of the zip by SHA-256
	Toolchain string            // of a clean build
}

// Prepare reads, checks and builds the service at path: a serverless.yml or the
// directory that holds one. Nothing outside OutDir changes.
func Prepare(ctx context.Context, path string, o PackageOptions) (*Package, error) {
	svc, err := Load(ctx, path, o.Spec)
	if err != nil {
		return nil, err
	}
	source, err := Fingerprint(svc)
	if err != nil {
		return nil, err
	}
	p, err := pack(ctx, svc, o)
	if err != nil {
		return nil, err
	}
	p.Revision.Source = source
	return p, nil
}

// PrepareFunction is Prepare for one function, named by its key in the service or
// in full: the revision has no other.
func PrepareFunction(ctx context.Context, path, name string, o PackageOptions) (*Package, error) {
	svc, err := Load(ctx, path, o.Spec)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(svc.Functions, func(f spec.Function) bool { return f.Key == name })
	if i < 0 {
		i = slices.IndexFunc(svc.Functions, func(f spec.Function) bool { return f.Name == name })
	}
	if i < 0 {
		return nil, fault.Errorf(fault.Invalid, "%s has no function %q", svc.File, name)
	}
	svc.Functions = svc.Functions[i : i+1 : i+1]
	return pack(ctx, svc, o)
}

// pack builds a service.
func pack(ctx context.Context, svc *spec.Service, o PackageOptions) (*Package, error) {
	options := build.Options{OutDir: o.OutDir, Clean: o.Clean, Progress: func(e build.Event) {
		switch {
		case e.Step == build.StepWarning:
			svc.Warnings = append(svc.Warnings, spec.Problem{Pos: e.Pos, Message: e.Message})
		case o.Progress == nil:
		case e.Step == build.StepInstall:
			o.Progress(e.Message)
		case e.Step == build.StepBuild && e.Took > 0:
			o.Progress(fmt.Sprintf("built %s in %.1fs", svc.Name, e.Took.Seconds()))
		}
	}}
	functions, err := build.Build(ctx, svc, options)
	if err != nil {
		return nil, err
	}
	layers, err := build.Layers(ctx, svc, options)
	if err != nil {
		return nil, err
	}
	if err := Problems(oversized(svc, functions, layers)); err != nil {
		return nil, err
	}
	p := &Package{Service: svc, Artifacts: map[string]string{}}
	for _, a := range functions {
		p.Toolchain = max(p.Toolchain, a.Toolchain) // it grows from function to function
	}
	p.Revision, err = Plan(svc, p.keep(functions), p.keep(layers))
	return p, err
}

// keep adds artifacts to the package and returns their hashes.
func (p *Package) keep(built map[string]build.Artifact) map[string]string {
	hashes := map[string]string{}
	for key, a := range built {
		hashes[key] = a.SHA256
		p.Artifacts[a.SHA256] = a.Path
	}
	return hashes
}

// oversized finds the functions that are too large together with their layers.
func oversized(svc *spec.Service, functions, layers map[string]build.Artifact) (problems []spec.Problem) {
	for _, f := range svc.Functions {
		own := functions[f.Key].Unpacked
		total, parts := own, []string{"its own " + megabytes(own)}
		for _, key := range f.Layers {
			n := layers[key].Unpacked
			total += n
			parts = append(parts, "layer "+key+" "+megabytes(n))
		}
		if total > build.MaxUnpacked {
			problems = append(problems, spec.Problem{Pos: f.Pos, Message: fmt.Sprintf("function %s has %s unpacked (%s); the limit is %s: leave files out with package.patterns",
				f.Key, megabytes(total), strings.Join(parts, ", "), megabytes(build.MaxUnpacked))})
		}
	}
	return problems
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }

// Load reads a service and has every room check its part.
func Load(ctx context.Context, path string, o spec.Options) (*spec.Service, error) {
	svc, err := spec.Load(ctx, path, o)
	if err != nil {
		return nil, err
	}
	return svc, Problems(Check(svc))
}

// Fingerprint changes whenever what a service is made of may have changed: its
// directory, the packages beside it and its module's go.mod and go.sum, and the
// values that its serverless.yml resolved to.
func Fingerprint(svc *spec.Service) (string, error) {
	var more []string // of layers, which may be elsewhere
	for _, l := range svc.Layers {
		for _, path := range []string{l.Path, l.Package.Artifact} {
			if path != "" && !filepath.IsAbs(path) {
				path = filepath.Join(svc.Dir, path)
			}
			if path != "" {
				more = append(more, path)
			}
		}
	}
	files, err := build.Fingerprint(filepath.Dir(svc.Dir), more...)
	if err != nil {
		return "", err
	}
	doc, err := json.Marshal(svc)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(append(doc, files...))
	return hex.EncodeToString(sum[:]), nil
}
