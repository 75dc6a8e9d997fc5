package secret

import (
	"context"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dropstack/dropstack/internal/fault"
)

// Tag is a name and a value that a parameter carries.
type Tag struct{ Key, Value string }

// AddTagsToResourceInput is tags for a parameter.
type AddTagsToResourceInput struct {
	ResourceType string // Parameter
	ResourceId   string // its name
	Tags         []Tag
}

// AddTagsToResource gives a parameter tags, over those of the same names.
func (p *Parameters) AddTagsToResource(ctx context.Context, in AddTagsToResourceInput) (None, error) {
	known, err := p.tagged(in.ResourceType, in.ResourceId)
	if err != nil {
		return None{}, err
	}
	if len(in.Tags) == 0 {
		return None{}, invalid("Tags is required")
	}
	_, err = p.change(ctx, known.Name, func(r *record) (err error) {
		if len(r.Versions) == 0 {
			return noResource(in.ResourceId)
		}
		r.Tags, err = addTags(r.Tags, in.Tags)
		return err
	})
	return None{}, err
}

// RemoveTagsFromResourceInput names tags of a parameter.
type RemoveTagsFromResourceInput struct {
	ResourceType string
	ResourceId   string
	TagKeys      []string
}

// RemoveTagsFromResource takes tags from a parameter.
func (p *Parameters) RemoveTagsFromResource(ctx context.Context, in RemoveTagsFromResourceInput) (None, error) {
	known, err := p.tagged(in.ResourceType, in.ResourceId)
	if err != nil {
		return None{}, err
	}
	_, err = p.change(ctx, known.Name, func(r *record) error {
		if len(r.Versions) == 0 {
			return noResource(in.ResourceId)
		}
		r.Tags = maps.Clone(r.Tags)
		for _, key := range in.TagKeys {
			delete(r.Tags, key)
		}
		return nil
	})
	return None{}, err
}

// ListTagsForResourceInput names a parameter.
type ListTagsForResourceInput struct {
	ResourceType string
	ResourceId   string
}

// ListTagsForResourceOutput is its tags.
type ListTagsForResourceOutput struct{ TagList []Tag }

// ListTagsForResource lists the tags of a parameter by name.
func (p *Parameters) ListTagsForResource(_ context.Context, in ListTagsForResourceInput) (ListTagsForResourceOutput, error) {
	known, err := p.tagged(in.ResourceType, in.ResourceId)
	if err != nil {
		return ListTagsForResourceOutput{}, err
	}
	out := ListTagsForResourceOutput{[]Tag{}}
	for _, key := range slices.Sorted(maps.Keys(known.Tags)) {
		out.TagList = append(out.TagList, Tag{key, known.Tags[key]})
	}
	return out, nil
}

// tagged finds the parameter that a request about tags is for.
func (p *Parameters) tagged(kind, id string) (*record, error) {
	if kind != "Parameter" {
		return nil, fault.Coded(fault.Invalid, "InvalidResourceType", "ResourceType %q: only resources of type Parameter are here", kind)
	}
	known, err := p.named(id)
	if isMissing(err) {
		return nil, noResource(id)
	}
	return known, err
}

func noResource(id string) error {
	return fault.Coded(fault.NotFound, "InvalidResourceId", "there is no parameter %q", id)
}

// addTags returns a copy of tags with more, which must be valid.
func addTags(tags map[string]string, more []Tag) (map[string]string, error) {
	tags = maps.Clone(tags)
	if tags == nil && len(more) > 0 {
		tags = map[string]string{}
	}
	for _, t := range more {
		n, v := utf8.RuneCountInString(t.Key), utf8.RuneCountInString(t.Value)
		switch {
		case n < 1 || n > 128:
			return nil, invalid("the name of tag %q has %d characters; 1 to 128 are possible", t.Key, n)
		case v > 256:
			return nil, invalid("the value of tag %q has %d characters; at most 256 are possible", t.Key, v)
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return nil, invalid("tag %q: names that begin with aws: are reserved", t.Key)
		}
		tags[t.Key] = t.Value
	}
	if len(tags) > maxTags {
		return nil, fault.Coded(fault.TooLarge, "TooManyTagsError", "a parameter has at most %d tags; this would make %d", maxTags, len(tags))
	}
	return tags, nil
}
