package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/dropstack/dropstack/internal/build"
	"github.com/dropstack/dropstack/internal/spec"
)

// PackageOptions say how a service is read and where its artifacts go.
type PackageOptions struct {
	Spec   spec.Options
	OutDir string // artifacts are written here
	// Progress is told what is being done, in a few words. Optional.
	Progress func(string)
}

// Package is a service that is ready to be deployed.
type Package struct {
	Service   *spec.Service
	Revision  *Revision
	Artifacts map[string]string // path of the zip by SHA-256
}

// Prepare reads, checks and builds the service at path: a serverless.yml or the
// directory that holds one. Nothing outside OutDir changes.
func Prepare(ctx context.Context, path string, o PackageOptions) (*Package, error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	svc, err := Load(ctx, path, o.Spec)
	if err != nil {
		return nil, err
	}
	source, err := Fingerprint(svc)
	if err != nil {
		return nil, err
	}
	built, err := build.Build(ctx, svc, build.Options{OutDir: o.OutDir, Progress: func(e build.Event) {
		if e.Step == build.StepBuild && e.Took > 0 {
			o.Progress(fmt.Sprintf("built %s in %.1fs", svc.Name, e.Took.Seconds()))
		}
	}})
	if err != nil {
		return nil, err
	}
	p := &Package{Service: svc, Artifacts: map[string]string{}}
	hashes := map[string]string{}
	for key, a := range built {
		hashes[key] = a.SHA256
		p.Artifacts[a.SHA256] = a.Path
	}
	if p.Revision, err = Plan(svc, hashes); err != nil {
		return nil, err
	}
	p.Revision.Source = source
	return p, nil
}

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
	files, err := build.Fingerprint(filepath.Dir(svc.Dir))
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
