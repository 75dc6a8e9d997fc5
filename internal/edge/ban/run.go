package ban

import (
	"cmp"
	"context"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dropstack/dropstack/internal/audit"
)

// Run follows what is stored, bans whom Seen has found to flood, and forgets bans
// that have been over for long, until ctx ends. It runs once.
func (b *Bans) Run(ctx context.Context) error {
	defer close(b.ended)
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return b.follow(running, false) })
	g.Go(func() error { b.tend(running); return nil })
	err := g.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// tend makes bans of floods and sweeps.
func (b *Bans) tend(ctx context.Context) {
	tick := time.NewTicker(sweepPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case client := <-b.floods():
			b.banFlood(ctx, client)
		case <-tick.C:
			if err := b.sweep(ctx); err != nil && ctx.Err() == nil {
				b.Log.Error("old bans not swept", "err", err)
			}
			b.forget(time.Now())
		}
	}
}

// sweep forgets the bans that no longer count.
func (b *Bans) sweep(ctx context.Context) error {
	before := time.Now().Add(-cmp.Or(b.Escalation.Memory, 24*time.Hour))
	for client, r := range b.now.Load().bans.All() {
		if !r.Until.Before(before) {
			continue
		}
		// of several edges one is first; the others find another revision, or nothing
		if _, err := b.remove(ctx, banKey, client, func(revision uint64) bool { return revision == r.revision }); err != nil {
			return err
		}
	}
	return nil
}

// record writes down what the edge has done by itself.
func (b *Bans) record(ctx context.Context, name string, made Ban) {
	err := b.Trail.Append(context.WithoutCancel(ctx), audit.Event{
		EventSource: "dropstack.amazonaws.com", EventName: name, EventType: audit.ServiceEvent, ManagementEvent: true,
		AWSRegion: b.Region, UserIdentity: audit.UserIdentity{Type: "AWSService", InvokedBy: Edge}, SourceIPAddress: Edge, UserAgent: Edge,
		RequestParameters: audit.Parameters(made),
	})
	if err != nil {
		b.Log.Error("ban not recorded", "event", name, "client", made.Client, "err", err)
	}
}

// banFlood bans a client that has asked for too much.
func (b *Bans) banFlood(ctx context.Context, client netip.Prefix) {
	if b.exempt(b.now.Load(), client.Addr()) {
		return
	}
	made, err := b.put(ctx, PutInput{
		Client: client.String(), Seconds: int64(b.Flood.length() / time.Second), Reason: b.Flood.reason(), Escalate: true,
	}, Edge)
	if err != nil {
		if ctx.Err() == nil {
			b.Log.Error("flood not banned", "client", client, "err", err)
		}
		return
	}
	b.Log.Info("client banned", "client", client, "reason", made.Reason, "until", made.Until, "shadow", made.Shadow)
	b.record(ctx, "PutBan", made)
}
