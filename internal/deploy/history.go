package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

// DefaultKeep is how much of a stack's past is kept unless somebody says otherwise.
var DefaultKeep = Keep{Revisions: 20, Versions: 5}

// Past is a revision of a stack in the list of those that it can go back to.
type Past struct {
	ID       string    `json:"id"`
	Created  time.Time `json:"created"`
	Active   bool      `json:"active,omitempty"`
	Restores string    `json:"restores,omitempty"` // the revision that it brought back
	Contents string    `json:"contents"`
}

// History lists the revisions of a stack that are kept, the newest first.
func (d *Deployer) History(ctx context.Context, stack string) ([]Past, error) {
	active, ok := d.Active(stack)
	if !ok {
		return nil, notDeployed(stack)
	}
	ids, err := d.ids(ctx, stack)
	if err != nil {
		return nil, err
	}
	var list []Past
	for _, id := range slices.Backward(ids) {
		r, err := d.stored(ctx, stack, id)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			continue // pruned meanwhile
		}
		if err != nil {
			return nil, err
		}
		list = append(list, Past{id, r.Created, id == active.ID, r.Restores, r.Describe()})
	}
	return list, nil
}

// Changes says what a revision that is kept has changed, of what was active before it.
// If that is no longer kept, everything is new.
func (d *Deployer) Changes(ctx context.Context, stack, id string) (*Diff, error) {
	next, err := d.read(ctx, stack, id)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, fault.Errorf(fault.NotFound, "stack %s has no revision %s; `dropstack deploy list` has those that are kept", stack, id)
	}
	if err != nil {
		return nil, err
	}
	if next.Previous == "" {
		return Compare(nil, next), nil
	}
	old, err := d.read(ctx, stack, next.Previous)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Compare(nil, next), nil
	}
	if err != nil {
		return nil, err
	}
	return Compare(old, next), nil
}

// Rollback brings an earlier revision of a stack back, as the next one: all callers
// get it at once. to is its ID or, as the Serverless Framework has it, a time in
// milliseconds: the revision that was active then. "" is the one before the active
// one; again, it is the one before that. While callers are being moved to the active
// one, it stops that.
func (d *Deployer) Rollback(ctx context.Context, stack, to string) (*Revision, error) {
	if stack == APIStack {
		return nil, fault.Errorf(fault.Invalid, "the stack %q holds what calls of the AWS API make and is not rolled back", APIStack)
	}
	active, ok := d.Active(stack)
	if !ok {
		return nil, notDeployed(stack)
	}
	if active.Owner != "" {
		return nil, Foreign(active)
	}
	stopped, err := d.stop(ctx, stack, "stopped by a rollback")
	if err != nil {
		return nil, err
	}
	if active, ok = d.Active(stack); stopped && ok && to == "" {
		return active, nil
	}
	id, err := d.earlier(ctx, active, to)
	if err != nil {
		return nil, err
	}
	r, err := d.read(ctx, stack, id)
	if err != nil {
		return nil, err
	}
	r.Restores = id
	next, err := d.deploy(ctx, r)
	if err != nil {
		return nil, err
	}
	d.Log.Info("rolled back", "stack", stack, "revision", next.ID, "restores", id)
	return next, nil
}

// earlier finds the revision that a stack is to go back to.
func (d *Deployer) earlier(ctx context.Context, active *Revision, to string) (string, error) {
	ids, err := d.ids(ctx, active.Stack)
	if err != nil {
		return "", err
	}
	which := to
	switch at, isTime := moment(to); {
	case to == "":
		which = "before " + active.ID
		before := active.ID
		if active.Restores != "" {
			before = active.Restores
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return id >= before })
	case isTime:
		ids = slices.DeleteFunc(ids, func(id string) bool { return id >= idAt(at.Add(time.Millisecond)) })
	default:
		ids = slices.DeleteFunc(ids, func(id string) bool { return id != to })
	}
	if len(ids) == 0 {
		return "", fault.Errorf(fault.NotFound, "stack %s has no revision %s; `dropstack deploy list` has those that are kept", active.Stack, which)
	}
	return ids[len(ids)-1], nil
}

// moment reads a time as the Serverless Framework gives it.
func moment(text string) (time.Time, bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		t, err := time.Parse(time.RFC3339, text)
		return t, err == nil
	}
	var ms int64
	_, err := fmt.Sscan(text, &ms)
	return time.UnixMilli(ms), err == nil
}

func notDeployed(stack string) error {
	return fault.Errorf(fault.NotFound, "stack %q is not deployed", stack)
}

// Foreign is the error of a stack that is deployed in another way.
func Foreign(r *Revision) error {
	if r.Owner == OwnerCloudFormation {
		return fault.Errorf(fault.Conflict, "stack %s was deployed as a CloudFormation template; change and remove it with the tool that did that, or give this service another name or stage", r.Stack)
	}
	return fault.Errorf(fault.Conflict, "stack %s was deployed by `dropstack deploy`; change and remove it with that, or give the template's stack another name", r.Stack)
}

// prefix begins the subjects of a bucket.
func prefix(bucket string) string { return "$KV." + bucket + "." }

// ids are those of the stored revisions of a stack, the oldest first.
func (d *Deployer) ids(ctx context.Context, stack string) ([]string, error) {
	keys, err := d.keys(ctx, "revisions", stack+".*")
	for i := range keys {
		keys[i] = strings.TrimPrefix(keys[i], stack+".")
	}
	return keys, err
}

// keys are those of a bucket that a filter chooses, in order: revisions by stack and
// time, as their ids begin with it. Some may be of what is deleted. All of them come
// or an error, unlike with a bucket's own listing, which a connection that closes
// cuts short.
func (d *Deployer) keys(ctx context.Context, bucket, filter string) ([]string, error) {
	stream, err := d.Streams.Stream(ctx, "KV_"+bucket)
	if err != nil {
		return nil, fmt.Errorf("list the %s: %w", bucket, err)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(prefix(bucket)+filter))
	if err != nil {
		return nil, fmt.Errorf("list the %s: %w", bucket, err)
	}
	var list []string
	for subject := range info.State.Subjects {
		list = append(list, strings.TrimPrefix(subject, prefix(bucket)))
	}
	slices.Sort(list)
	return list, nil
}

// forget deletes a revision of a stack; "*": all.
func (d *Deployer) forget(ctx context.Context, stack, id string) error {
	stream, err := d.Streams.Stream(ctx, "KV_revisions")
	if err == nil { // leaves no marker behind, as a purge of the bucket would
		err = stream.Purge(ctx, jetstream.WithPurgeSubject(prefix("revisions")+stack+"."+id))
	}
	if err != nil {
		return fmt.Errorf("forget revision %s of %s: %w", id, stack, err)
	}
	return nil
}

// neverActive forgets what a crash has left: revisions that were written, and not
// activated any more, and all of stacks that were removed.
func (d *Deployer) neverActive(ctx context.Context) error {
	keys, err := d.keys(ctx, "revisions", ">")
	if err != nil {
		return err
	}
	last := map[string]string{} // ID that is active
	pointed := func(stack string) (string, error) {
		id, known := last[stack]
		if known {
			return id, nil
		}
		entry, err := d.stacks.Get(ctx, stack)
		if err == nil {
			id = string(entry.Value())
		} else if !errors.Is(err, jetstream.ErrKeyNotFound) {
			return "", fmt.Errorf("read the pointer of %s: %w", stack, err)
		}
		last[stack] = id
		return id, nil
	}
	for _, key := range keys {
		stack, id, _ := strings.Cut(key, ".")
		active, err := pointed(stack)
		if err == nil && id > active {
			err = d.forget(ctx, stack, id)
		}
		if err != nil {
			return err
		}
	}
	for stack := range *d.ledgers.Load() {
		active, err := pointed(stack)
		if err == nil && active == "" {
			err = d.keep(ctx, stack, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// prune forgets all but the newest revisions of a stack and versions of its
// functions, never what is active. What cannot be forgotten now is with the next deployment.
func (d *Deployer) prune(ctx context.Context, active *Revision) {
	d.pruneVersions(ctx, active)
	ids, err := d.ids(ctx, active.Stack)
	if err != nil {
		d.Log.Warn("old revisions not removed", "stack", active.Stack, "err", err)
		return
	}
	keep := d.keeps(active).Revisions
	back := "" // what a shift under way may go back to
	if s := d.ledger(active.Stack).shifting(); s != nil {
		back = s.Back
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return id == active.ID || id == back })
	for _, id := range ids[:max(0, len(ids)-keep+1)] {
		if err := d.forget(ctx, active.Stack, id); err != nil {
			d.Log.Warn("old revision not removed", "stack", active.Stack, "err", err)
			return
		}
	}
}

// keeps is how much of the past of a stack is kept.
func (d *Deployer) keeps(r *Revision) Keep {
	k := d.Keep
	if r.Keep != nil && r.Keep.Revisions > 0 {
		k.Revisions = r.Keep.Revisions
	}
	if r.Keep != nil && r.Keep.Versions > 0 {
		k.Versions = r.Keep.Versions
	}
	if k.Revisions == 0 {
		k.Revisions = DefaultKeep.Revisions
	}
	if k.Versions == 0 {
		k.Versions = DefaultKeep.Versions
	}
	return k
}
