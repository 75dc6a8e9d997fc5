package engine

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Each visits the objects of a bucket, by key, until visit fails. Of an object it
// has key, size and when it was stored.
func (o *Objects) Each(ctx context.Context, bucket string, visit func(Object) error) error {
	page, begin := int32(1000), ""
	in := &s3.ListObjectsV2Input{Bucket: &bucket, MaxKeys: &page, StartAfter: &begin} // it needs all three
	for {
		list, err := o.disk.ListObjectsV2(ctx, in)
		if err != nil {
			return fmt.Errorf("list %s: %w", bucket, faultOf(err))
		}
		for _, c := range list.Contents {
			obj := Object{Bucket: bucket, Key: *c.Key}
			if c.Size != nil {
				obj.Size = *c.Size
			}
			if c.LastModified != nil {
				obj.Modified = *c.LastModified
			}
			if err := visit(obj); err != nil {
				return err
			}
		}
		if list.NextContinuationToken == nil || *list.NextContinuationToken == "" {
			return nil
		}
		in.ContinuationToken = list.NextContinuationToken
	}
}
