package deploy_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/build"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/function"
)

// aged lists the artifacts of a shelf as old as a test says.
type aged struct {
	shelf
	age map[string]time.Duration // by artifact; others are new
}

func (a aged) Each(_ context.Context, bucket string, visit func(engine.Object) error) error {
	for _, key := range slices.Sorted(maps.Keys(a.shelf)) {
		name, ok := strings.CutPrefix(key, bucket+"/")
		if !ok {
			continue
		}
		o := engine.Object{Key: name, Modified: time.Now().Add(-a.age[strings.TrimSuffix(name, ".zip")])}
		if err := visit(o); err != nil {
			return err
		}
	}
	return nil
}

func (a aged) Delete(_ context.Context, bucket, key string) error {
	delete(a.shelf, bucket+"/"+key)
	return nil
}

// sweeper is a deployer whose files are swept when the test says so.
func sweeper(t *testing.T, s *stage) (*deploy.Deployer, aged) {
	t.Helper()
	s.stop()
	store := aged{s.shelf, map[string]time.Duration{}}
	d := s.Deployer
	d.Objects, d.Stored = store, store
	d.LayerRoot, d.Caches = filepath.Join(s.t.TempDir(), "layers"), s.t.TempDir()
	s.invoker.LayerRoot = d.LayerRoot
	s.stop = func() {}
	d.Begin() // its life has swept already, or not
	return d, store
}

func here(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return err == nil
}

func sweep(t *testing.T, d *deploy.Deployer) deploy.Swept {
	t.Helper()
	got, err := d.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestWhatNobodyRefersToIsSwept(t *testing.T) {
	s := newStage(t)
	d, store := sweeper(t, s)
	d.Keep = deploy.Keep{Revisions: 1, Versions: 1}
	code := func(word string) string { return s.shelf.zip(t, "bootstrap", word) }
	shas := map[string]string{}
	deployCode := func(word string, published bool) function.Function {
		r := s.revision(word, "")
		shas[word] = code(word)
		r.Functions[0].Artifact, r.Functions[0].Publish = shas[word], published
		r.Functions[0].Layers = []string{code(word + "-layer")}
		shas[word+"-layer"] = r.Functions[0].Layers[0]
		if _, err := d.Deploy(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(d.Caches, function.CacheName(r.Functions[0])), 0o755); err != nil {
			t.Fatal(err)
		}
		return r.Functions[0]
	}
	published, gone, active := deployCode("published", true), deployCode("gone", false), deployCode("active", false)
	for name, sha := range shas {
		if name != "gone-layer" { // which was stored just now
			store.age[sha] = 25 * time.Hour
		}
	}
	loose := code("loose") // uploaded, and not deployed yet
	store.age[loose] = 23 * time.Hour
	unpacked := func(f function.Function) []string {
		return []string{filepath.Join(d.Artifacts, f.Artifact), filepath.Join(d.LayerRoot, build.LayersID(f.Layers)), filepath.Join(d.Caches, function.CacheName(f))}
	}
	got := sweep(t, d)
	slices.Sort(got.Directories)
	want := unpacked(gone)
	slices.Sort(want)
	if !slices.Equal(got.Artifacts, []string{shas["gone"]}) || !slices.Equal(got.Directories, want) {
		t.Errorf("swept %+v, want %s and %q", got, shas["gone"], want)
	}
	for _, path := range append(unpacked(published), unpacked(active)...) {
		if !here(t, path) {
			t.Errorf("%s was swept", path)
		}
	}
	for name, sha := range map[string]string{"published": shas["published"], "active": shas["active"], "gone-layer": shas["gone-layer"], "loose": loose} {
		if _, there := s.shelf[deploy.ArtifactBucket+"/"+deploy.ArtifactKey(sha)]; !there {
			t.Errorf("artifact %s was swept", name)
		}
	}
	if err := d.Remove(t.Context(), "s-dev"); err != nil {
		t.Fatal(err)
	}
	if got := sweep(t, d); len(got.Directories) != 0 || len(got.Artifacts) == 0 {
		t.Errorf("right after a removal, while instances may run yet: %+v", got)
	}
}

// slow has a deployment wait while it fetches an artifact.
type slow struct {
	aged
	asked, on chan struct{}
}

func (s slow) Stat(ctx context.Context, bucket, key string) (engine.Object, error) {
	close(s.asked)
	<-s.on
	return s.aged.Stat(ctx, bucket, key)
}

func TestNothingIsSweptDuringADeployment(t *testing.T) {
	s := newStage(t)
	d, store := sweeper(t, s)
	r := s.revision("one", "")
	r.Functions = r.Functions[:1]
	store.age[r.Functions[0].Artifact] = 48 * time.Hour
	waiting := slow{store, make(chan struct{}), make(chan struct{})}
	d.Objects = waiting
	done := make(chan error)
	go func() {
		_, err := d.Deploy(t.Context(), r)
		done <- err
	}()
	<-waiting.asked // it is unpacked, and nothing refers to it
	if got := sweep(t, d); len(got.Artifacts)+len(got.Directories) > 0 {
		t.Errorf("swept %+v", got)
	}
	close(waiting.on)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := sweep(t, d); len(got.Artifacts)+len(got.Directories) > 0 || !here(t, filepath.Join(d.Artifacts, r.Functions[0].Artifact)) {
		t.Errorf("afterwards: swept %+v", got)
	}
}

func TestOldVersionsGoButThoseThatAreNamed(t *testing.T) {
	s := newStage(t)
	publish := func(word string, keep *deploy.Keep) {
		r := s.revision(word, "")
		r.Functions[0].Publish, r.Keep = true, keep
		r.Functions[1].Environment = map[string]string{"CALLS": arn.Function(arn.Region, "f") + ":2"}
		s.deployed(r)
	}
	numbers := func() (list []string) {
		all, err := s.invoker.Versions("f")
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range all {
			list = append(list, v.Version)
		}
		return list
	}
	publish("1", nil)
	if err := s.invoker.PutAlias(t.Context(), "f", function.Alias{Name: "pinned", Version: "1"}, true); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"2", "3", "4", "5", "6", "7", "8"} {
		publish(word, nil)
	}
	if got, want := numbers(), []string{"1", "2", "4", "5", "6", "7", "8"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q: five, one that an alias names, and one that a function is told of", got, want)
	}
	publish("9", &deploy.Keep{Versions: 2})
	if got, want := numbers(), []string{"1", "2", "8", "9"}; !slices.Equal(got, want) {
		t.Errorf("with two kept: got %q, want %q", got, want)
	}
}
