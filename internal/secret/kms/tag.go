package kms

import (
	"context"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dropstack/dropstack/internal/fault"
)

// Tag is a name and a value that a key carries.
type Tag struct{ TagKey, TagValue string }

// TagResourceInput is tags for a key.
type TagResourceInput struct {
	KeyId string
	Tags  []Tag
}

// TagResource adds tags to a key, over those of the same names.
func (k *Keys) TagResource(ctx context.Context, in TagResourceInput) (None, error) {
	found, err := k.find(in.KeyId)
	if err != nil {
		return None{}, err
	}
	if err := k.authorize(ctx, found, ask{action: "TagResource", condition: withTags(map[string][]string{}, in.Tags)}); err != nil {
		return None{}, err
	}
	return None{}, k.tag(ctx, found, "TagResource", func(r *record) (err error) {
		r.Tags, err = addTags(r.Tags, in.Tags)
		return err
	})
}

// UntagResourceInput names tags of a key.
type UntagResourceInput struct {
	KeyId   string
	TagKeys []string
}

// UntagResource takes tags from a key.
func (k *Keys) UntagResource(ctx context.Context, in UntagResourceInput) (None, error) {
	found, err := k.find(in.KeyId)
	if err != nil {
		return None{}, err
	}
	conditions := map[string][]string{"aws:TagKeys": in.TagKeys}
	if err := k.authorize(ctx, found, ask{action: "UntagResource", condition: conditions}); err != nil {
		return None{}, err
	}
	return None{}, k.tag(ctx, found, "UntagResource", func(r *record) error {
		for _, name := range in.TagKeys {
			delete(r.Tags, name)
		}
		return nil
	})
}

func (k *Keys) tag(ctx context.Context, found *key, action string, edit func(*record) error) error {
	if err := found.own(action); err != nil {
		return err
	}
	return k.update(ctx, found.ID, func(r *record) error {
		if err := (&key{record: *r}).kept(action); err != nil {
			return err
		}
		return edit(r)
	})
}

// ListResourceTagsInput asks for a page.
type ListResourceTagsInput struct {
	KeyId  string
	Limit  *int   `json:",omitempty"` // 1 to 50; 50
	Marker string `json:",omitempty"`
}

// ListResourceTagsOutput is a page.
type ListResourceTagsOutput struct {
	Tags       []Tag
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

// ListResourceTags lists the tags of a key by name.
func (k *Keys) ListResourceTags(ctx context.Context, in ListResourceTagsInput) (ListResourceTagsOutput, error) {
	found, err := k.find(in.KeyId)
	if err != nil {
		return ListResourceTagsOutput{}, err
	}
	if err := k.authorize(ctx, found, ask{action: "ListResourceTags"}); err != nil {
		return ListResourceTagsOutput{}, err
	}
	p, err := pageOf(slices.Sorted(maps.Keys(found.Tags)), in.Limit, in.Marker, 50, 50)
	if err != nil {
		return ListResourceTagsOutput{}, err
	}
	out := ListResourceTagsOutput{Tags: []Tag{}, NextMarker: p.next, Truncated: p.next != ""}
	for _, name := range p.ids {
		out.Tags = append(out.Tags, Tag{name, found.Tags[name]})
	}
	return out, nil
}

// addTags returns tags with more, which must be valid. It changes a map that is
// there.
func addTags(tags map[string]string, more []Tag) (map[string]string, error) {
	if tags == nil {
		tags = map[string]string{}
	}
	seen := map[string]bool{}
	for _, t := range more {
		n, v := utf8.RuneCountInString(t.TagKey), utf8.RuneCountInString(t.TagValue)
		switch {
		case n < 1 || n > 128:
			return nil, fault.Coded(fault.Invalid, "TagException", "the name of tag %q has %d characters; 1 to 128 are possible", t.TagKey, n)
		case v > 256:
			return nil, fault.Coded(fault.Invalid, "TagException", "the value of tag %q has %d characters; at most 256 are possible", t.TagKey, v)
		case strings.HasPrefix(strings.ToLower(t.TagKey), "aws:"):
			return nil, fault.Coded(fault.Invalid, "TagException", "tag %q: names that begin with aws: are reserved", t.TagKey)
		case seen[t.TagKey]:
			return nil, fault.Coded(fault.Invalid, "TagException", "tag %q is given twice", t.TagKey)
		}
		seen[t.TagKey] = true
		tags[t.TagKey] = t.TagValue
	}
	if len(tags) > maxTags {
		return nil, limit("a key has at most %d tags; this would make %d", maxTags, len(tags))
	}
	return tags, nil
}

// withTags adds the condition keys of tags in a request.
func withTags(conditions map[string][]string, tags []Tag) map[string][]string {
	for _, t := range tags {
		conditions["aws:RequestTag/"+t.TagKey] = []string{t.TagValue}
		conditions["aws:TagKeys"] = append(conditions["aws:TagKeys"], t.TagKey)
	}
	return conditions
}
