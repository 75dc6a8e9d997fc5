package logs

import (
	"context"
	"regexp"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// maxTags is how many a group has at most.
const maxTags = 50

var (
	validTag      = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$`)
	validTagValue = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$`)
)

func checkTags(tags map[string]string, total int) error {
	for name, value := range tags {
		if !validTag.MatchString(name) || strings.HasPrefix(name, "aws:") || !validTagValue.MatchString(value) {
			return invalid("The tag %q is invalid: a name of 1-128 and a value of at most 256 letters, digits, spaces and _ . : / = + - @, the name not beginning with aws:.", name)
		}
	}
	if total > maxTags {
		return fault.Coded(fault.Invalid, "TooManyTagsException", "A log group has at most %d tags.", maxTags)
	}
	return nil
}

// TagResourceInput gives tags to a group.
type TagResourceInput struct {
	ResourceARN string            `json:"resourceArn"`
	Tags        map[string]string `json:"tags"`
}

// TagResource adds tags to a group, or changes their values.
func (s *Store) TagResource(ctx context.Context, in TagResourceInput) (None, error) {
	return None{}, s.changeGroup(ctx, GroupOf(in.ResourceARN), func(g *group) error {
		if g.Tags == nil {
			g.Tags = map[string]string{}
		}
		for name, value := range in.Tags {
			g.Tags[name] = value
		}
		return checkTags(in.Tags, len(g.Tags))
	})
}

// UntagResourceInput takes tags from a group.
type UntagResourceInput struct {
	ResourceARN string   `json:"resourceArn"`
	TagKeys     []string `json:"tagKeys"`
}

// UntagResource removes tags; those that there are not do not matter.
func (s *Store) UntagResource(ctx context.Context, in UntagResourceInput) (None, error) {
	return None{}, s.changeGroup(ctx, GroupOf(in.ResourceARN), func(g *group) error {
		for _, name := range in.TagKeys {
			delete(g.Tags, name)
		}
		return nil
	})
}

// ListTagsForResourceInput names a group.
type ListTagsForResourceInput struct {
	ResourceARN string `json:"resourceArn"`
}

// ListTagsForResourceOutput has its tags.
type ListTagsForResourceOutput struct {
	Tags map[string]string `json:"tags"`
}

// ListTagsForResource returns the tags of a group.
func (s *Store) ListTagsForResource(_ context.Context, in ListTagsForResourceInput) (ListTagsForResourceOutput, error) {
	out := ListTagsForResourceOutput{Tags: map[string]string{}}
	x := &s.index
	x.mu.Lock()
	defer x.mu.Unlock()
	g := x.known[GroupOf(in.ResourceARN)]
	if g == nil {
		return out, noGroup()
	}
	for name, value := range g.Tags {
		out.Tags[name] = value
	}
	return out, nil
}
