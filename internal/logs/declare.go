package logs

import (
	"context"
	"maps"
)

// Declared is a log group that a deployment declares.
type Declared struct {
	Name      string            `json:"name"`
	Retention int               `json:"retentionInDays,omitempty"` // 0: as long as all
	Tags      map[string]string `json:"tags,omitempty"`
	Protected *bool             `json:"deletionProtectionEnabled,omitempty"` // nil: as it is
}

// Declare makes log groups, or changes those that are there to be as declared. A
// group that nobody declares any more stays, and its records as long as they were to
// be kept: they tell of what has gone. Stacks of templates delete theirs.
func (s *Store) Declare(ctx context.Context, groups []Declared) error {
	for _, d := range groups {
		if err := s.declare(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) declare(ctx context.Context, d Declared) error {
	x := &s.index
	x.mu.Lock()
	g := x.known[d.Name]
	asDeclared := g != nil && g.Retention == d.Retention && maps.Equal(g.Tags, d.Tags) && (d.Protected == nil || *d.Protected == g.Protected)
	x.mu.Unlock()
	if asDeclared {
		return nil
	}
	if g == nil {
		if _, err := s.CreateLogGroup(ctx, CreateLogGroupInput{LogGroupName: d.Name, Tags: d.Tags}); err != nil {
			return err
		}
	}
	return s.changeGroup(ctx, d.Name, func(g *group) error {
		g.Retention, g.Tags = d.Retention, maps.Clone(d.Tags)
		if d.Protected != nil {
			g.Protected = *d.Protected
		}
		return checkTags(d.Tags, len(d.Tags))
	})
}
