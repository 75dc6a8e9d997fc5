package cloudfront

import (
	"context"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge"
)

// Authorizer is what the room asks about the buckets of a distribution.
type Authorizer interface {
	Authorize(ctx context.Context, action, resource string, conditions map[string][]string) error
}

// mayPublish refuses a distribution with a bucket that the caller may not use: the
// edge asks nobody's permission to read objects for anybody, to take uploads, and to
// write logs.
func (d *Distributions) mayPublish(ctx context.Context, next edge.Distribution) error {
	may := func(action, bucket, prefix string) error {
		return d.Authorizer.Authorize(ctx, action, arn.Bucket(bucket)+"/"+prefix+"*", nil)
	}
	for _, o := range next.Origins {
		if o.Bucket == "" {
			continue
		}
		if err := may("s3:GetObject", o.Bucket, ""); err != nil {
			return err
		}
	}
	for _, b := range next.Behaviours {
		if b.Upload == nil {
			continue
		}
		if err := may("s3:PutObject", b.Upload.Bucket, b.Upload.Prefix); err != nil {
			return err
		}
	}
	if next.Log == nil {
		return nil
	}
	return may("s3:PutObject", next.Log.Bucket, next.Log.Prefix)
}
