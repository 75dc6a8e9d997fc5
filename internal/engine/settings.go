package engine

import "context"

// SetPolicy gives a bucket a policy; "" takes it away.
func (o *Objects) SetPolicy(ctx context.Context, bucket, text string) error {
	if text == "" {
		return faultOf(o.disk.DeleteBucketPolicy(ctx, bucket))
	}
	return faultOf(o.disk.PutBucketPolicy(ctx, bucket, []byte(text)))
}

// SetCORS gives a bucket a CORS configuration in S3's XML; nil takes it away.
func (o *Objects) SetCORS(ctx context.Context, bucket string, doc []byte) error {
	if doc == nil {
		return faultOf(o.disk.DeleteBucketCors(ctx, bucket))
	}
	return faultOf(o.disk.PutBucketCors(ctx, bucket, doc))
}
