package event

import (
	"context"
	"maps"
	"slices"

	"github.com/dropstack/dropstack/internal/schedule"
)

// Tag is a word about a rule.
type Tag struct{ Key, Value string }

func tagMap(tags []Tag) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	m := map[string]string{}
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}

func checkTags(tags map[string]string) error {
	if len(tags) > 50 {
		return invalid("%d tags; a rule has at most 50", len(tags))
	}
	for key, value := range tags {
		if n := len([]rune(key)); n < 1 || n > 128 || len([]rune(value)) > 256 {
			return invalid("tag %q: keys have 1 to 128 characters, values at most 256", key)
		}
	}
	return nil
}

// TagResourceInput gives a rule more tags, or others.
type TagResourceInput struct {
	ResourceARN string
	Tags        []Tag
}

// TagResource adds tags to a rule.
func (r *Rules) TagResource(ctx context.Context, in TagResourceInput) (struct{}, error) {
	return struct{}{}, r.tag(ctx, in.ResourceARN, func(tags map[string]string) { maps.Copy(tags, tagMap(in.Tags)) })
}

// UntagResourceInput names tags of a rule.
type UntagResourceInput struct {
	ResourceARN string
	TagKeys     []string
}

// UntagResource takes tags off a rule.
func (r *Rules) UntagResource(ctx context.Context, in UntagResourceInput) (struct{}, error) {
	return struct{}{}, r.tag(ctx, in.ResourceARN, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
}

func (r *Rules) tag(ctx context.Context, rule string, change func(map[string]string)) error {
	name := nameOf(rule)
	return r.edit(ctx, name, "", existing(name, func(list []schedule.Schedule) ([]schedule.Schedule, error) {
		tags := maps.Clone(list[0].Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		if change(tags); len(tags) == 0 {
			tags = nil
		}
		for i := range list {
			list[i].Tags = tags
		}
		return list, checkTags(tags)
	}))
}

// ListTagsInput names a rule.
type ListTagsInput struct{ ResourceARN string }

// ListTagsOutput is a rule's tags.
type ListTagsOutput struct{ Tags []Tag }

// ListTagsForResource lists the tags of a rule, by key.
func (r *Rules) ListTagsForResource(_ context.Context, in ListTagsInput) (ListTagsOutput, error) {
	name := nameOf(in.ResourceARN)
	_, list := r.stackOf(name)
	if len(list) == 0 {
		return ListTagsOutput{}, noRule(name)
	}
	out := ListTagsOutput{[]Tag{}}
	for _, key := range slices.Sorted(maps.Keys(list[0].Tags)) {
		out.Tags = append(out.Tags, Tag{key, list[0].Tags[key]})
	}
	return out, nil
}
