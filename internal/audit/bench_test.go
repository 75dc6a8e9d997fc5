package audit_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/dropstack/dropstack/internal/audit"
)

// kilobyte is an event of about 1 KB.
func kilobyte() audit.Event {
	e := event(1)
	e.SourceIPAddress, e.UserAgent, e.AWSRegion = "127.0.0.1", "aws-sdk-go-v2/1.47.7 os/linux lang/go#1.26 md/GOOS#linux md/GOARCH#amd64 api/ssm", "us-east-1"
	e.Resources = []audit.Resource{{ARN: "arn:aws:ssm:us-east-1:000000000000:parameter/app/1", AccountID: "000000000000", Type: "AWS::SSM::Parameter"}}
	e.RequestParameters = map[string]any{"name": "/app/1", "withDecryption": true, "description": strings.Repeat("x", 160)}
	return e
}

// The whole of an append: the event rendered, chained, written, synced, the head
// signed; by one caller and by many.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 32, 256} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			l := open(b, b.TempDir())
			e := kilobyte()
			b.SetParallelism(callers)
			b.ReportAllocs()
			if callers == 1 {
				for range b.N {
					if err := l.Append(b.Context(), e); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := l.Append(b.Context(), e); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// A log of 50,000 records: read for a parameter that nobody named, and verified.
func BenchmarkReading(b *testing.B) {
	dir := b.TempDir()
	l := open(b, dir)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			for range 500 {
				if err := l.Append(b.Context(), kilobyte()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	size := int64(0)
	for _, doc := range files(b, dir) {
		size += int64(len(doc))
	}
	b.Run("list", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			if out, err := l.List(b.Context(), audit.ListInput{Parameter: "/not/there"}); err != nil || len(out.Events) > 0 {
				b.Fatal(out, err)
			}
		}
	})
	b.Run("newest page", func(b *testing.B) {
		for b.Loop() {
			if out, err := l.LookupEvents(b.Context(), audit.LookupEventsInput{}); err != nil || len(out.Events) != 50 {
				b.Fatal(out, err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			if r, err := audit.Verify(dir, audit.Evidence{}); err != nil || !r.OK() {
				b.Fatal(r, err)
			}
		}
	})
}
