// Package accesslog writes down what the edge has answered: as CloudFront's standard
// log, gzip objects in the distribution's bucket; as records of the log store; and as
// a stream that functions read within a second, in the form of CloudFront's real-time
// log in a Kinesis stream.
package accesslog

import "time"

// Stream is the name of the stream of all access records,
// arn:aws:kinesis:REGION:ACCOUNT:stream/edge-access.
const Stream = "edge-access"

// Reader is a function that gets the stream's records.
type Reader struct {
	Stack    string        `json:"stack"`
	ID       string        `json:"id"`       // UUID of the event source mapping
	Function string        `json:"function"` // ARN
	Batch    int           `json:"batch"`    // records of one invocation, 1 to 10,000; 0: 100
	Window   time.Duration `json:"window"`   // how long a batch may wait to fill, up to 5 minutes; 0: half a second
	Disabled bool          `json:"disabled,omitempty"`
}
