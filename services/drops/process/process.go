// Package process is what happens to a drop after its upload: thumbnail,
// metadata, rendering of text, activity feed; and the sweeps.
//
// Each step runs in a function of its own, in parallel with the others, and any
// number of times: (code, version, step) is applied once. A step that cannot
// work with this drop is finished with the reason; one that failed for a reason
// outside of the drop returns an error and is delivered again.
package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/dropstack/dropstack/services/drops/blob"
	"github.com/dropstack/dropstack/services/drops/drop"
	"github.com/dropstack/dropstack/services/drops/store"
	"github.com/dropstack/dropstack/services/wire"
)

// Names of steps, which are the names of their functions.
const (
	Thumbnail  = "thumbnail"
	Metadata   = "metadata"
	RenderText = "renderText"
	Activity   = "activity"
)

// keep is how long a replaced object stays for downloads that just began.
const keep = 2 * time.Minute

// Steps runs steps. All fields are required.
type Steps struct {
	Store store.Store
	Blobs blob.Store
	Log   *slog.Logger
}

// result is what a step found out. objects are those that it stored, to be
// removed when the drop is gone by then.
type result struct {
	skipped string
	exact   bool
	change  func(*drop.Drop)
	objects []string
}

// Run runs one step for one event and logs its start and end.
func (s *Steps) Run(ctx context.Context, step string, topic string, e wire.DropEvent) error {
	began := time.Now()
	log := s.Log.With("step", step, "code", e.Code, "version", e.Version)
	log.InfoContext(ctx, "step started")
	outcome, err := s.run(ctx, step, topic, e)
	took := time.Since(began)
	if err != nil {
		log.ErrorContext(ctx, "step failed", "took", took.String(), "err", err)
		return fmt.Errorf("%s of %s version %d: %w", step, e.Code, e.Version, err)
	}
	log.InfoContext(ctx, "step finished", "outcome", outcome, "took", took.String())
	return nil
}

func (s *Steps) run(ctx context.Context, step, topic string, e wire.DropEvent) (string, error) {
	if step == Activity {
		return "done", s.activity(ctx, topic, e)
	}
	done, err := s.Store.StepDone(ctx, e.Code, e.Version, step)
	if err != nil || done {
		return "done before", err
	}
	d, err := s.Store.Get(ctx, e.Code)
	if errors.Is(err, store.ErrNotFound) || err == nil && !d.DeletedAt.IsZero() {
		return "drop is gone", nil
	}
	if err != nil {
		return "", err
	}
	r, err := s.do(ctx, step, d, e.Version)
	if errors.Is(err, blob.ErrNotFound) {
		// the metadata step may have replaced the object meanwhile
		if d, err = s.Store.Get(ctx, e.Code); err == nil {
			if !d.DeletedAt.IsZero() {
				return "drop is gone", nil
			}
			r, err = s.do(ctx, step, d, e.Version)
		}
	}
	if err != nil {
		return "", err
	}
	return s.finish(ctx, step, d, e.Version, r)
}

func (s *Steps) do(ctx context.Context, step string, d drop.Drop, version int) (result, error) {
	switch step {
	case Thumbnail:
		return s.thumbnail(ctx, d, version)
	case Metadata:
		return s.metadata(ctx, d, version)
	case RenderText:
		return s.renderText(ctx, d, version)
	}
	return result{}, fmt.Errorf("no step is called %q", step)
}

func (s *Steps) finish(ctx context.Context, step string, d drop.Drop, version int, r result) (string, error) {
	if r.change == nil {
		r.change = func(*drop.Drop) {}
	}
	out, err := s.Store.FinishStep(ctx, store.Step{
		Code: d.Code, Version: version, Name: step, Detail: r.skipped, At: time.Now(), Exact: r.exact,
	}, keep, r.change)
	if err != nil {
		return "", err
	}
	switch {
	case out == store.Gone:
		for _, key := range r.objects {
			err = errors.Join(err, s.Blobs.Delete(ctx, d.Bucket, key))
		}
		return "drop is gone", err
	case out == store.Repeated:
		return "done before", nil
	case r.skipped != "":
		return "skipped: " + r.skipped, nil
	}
	return "done", nil
}

func (s *Steps) activity(ctx context.Context, topic string, e wire.DropEvent) error {
	what := map[string]string{
		wire.TopicDropCreated: "created", wire.TopicDropUpdated: "updated", wire.TopicDropDeleted: "deleted",
	}[topic]
	if what == "" {
		return fmt.Errorf("no activity for topic %q", topic)
	}
	return s.Store.AddActivity(ctx, wire.Activity{Code: e.Code, Title: e.Title, What: what, At: e.At.UnixMilli()}, e.Version)
}

// derived is where a step stores what it makes.
func derived(code string, version int, name string) string {
	return fmt.Sprintf("derived/%s/%d/%s", code, version, name)
}
