package lambda

import (
	"context"
	"maps"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/function"
)

// TagResourceInput gives a function more tags, or others.
type TagResourceInput struct {
	Resource string
	Tags     map[string]string
}

// TagResource adds tags to a function.
func (l *Functions) TagResource(ctx context.Context, in TagResourceInput) (struct{}, error) {
	_, err := l.edit(ctx, in.Resource, "", func(_ *deploy.Revision, f *function.Function) error {
		tags := maps.Clone(f.Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		maps.Copy(tags, in.Tags)
		f.Tags = tags
		return checkTags(tags)
	})
	return struct{}{}, err
}

// UntagResourceInput names tags of a function.
type UntagResourceInput struct {
	Resource string
	TagKeys  []string
}

// UntagResource takes tags off a function.
func (l *Functions) UntagResource(ctx context.Context, in UntagResourceInput) (struct{}, error) {
	_, err := l.edit(ctx, in.Resource, "", func(_ *deploy.Revision, f *function.Function) error {
		for _, key := range in.TagKeys {
			delete(f.Tags, key)
		}
		return nil
	})
	return struct{}{}, err
}

// ListTagsInput names a function.
type ListTagsInput struct{ Resource string }

// ListTagsOutput is a function's tags.
type ListTagsOutput struct{ Tags map[string]string }

// ListTags returns a function's tags.
func (l *Functions) ListTags(_ context.Context, in ListTagsInput) (ListTagsOutput, error) {
	fn, err := l.latest(in.Resource)
	if fn.Tags == nil {
		fn.Tags = map[string]string{}
	}
	return ListTagsOutput{fn.Tags}, err
}
