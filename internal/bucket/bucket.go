// Package bucket turns changes of objects into S3 events for functions.
package bucket

// Notification sends a bucket's events to a function.
type Notification struct {
	Stack    string `json:"stack"`
	ID       string `json:"id"`
	Bucket   string `json:"bucket"`
	Event    string `json:"event"` // s3:ObjectCreated:*, s3:ObjectRemoved:Delete ...
	Prefix   string `json:"prefix,omitempty"`
	Suffix   string `json:"suffix,omitempty"`
	Function string `json:"function"`
}
