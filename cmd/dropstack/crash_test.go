package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/testkit"
)

// acknowledged is what the platform has said yes to.
type acknowledged struct {
	mu       sync.Mutex
	drops    map[string][]byte // code → content
	messages map[string]bool
	refused  int // unanswered or refused: may be lost
}

// TestNothingAcknowledgedIsLost kills the platform at random moments under a
// stream of uploads and publishes, and afterwards looks for everything that it
// had acknowledged.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	kills := 20
	if testing.Short() {
		kills = 3
	}
	dir := testkit.Dir(t)
	p := testkit.Start(t, dir)
	if out, errs, code := p.Run(t, "", "deploy", filepath.Join(testkit.Root(t), "cmd/dropstack/testdata/recorder")); code != 0 {
		t.Fatalf("deploy recorder: exit %d\n%s%s", code, out, errs)
	}
	acked := &acknowledged{drops: map[string][]byte{}, messages: map[string]bool{}}
	for kill := range kills {
		ctx, stop := context.WithCancel(t.Context())
		var work sync.WaitGroup
		for worker := range 3 {
			work.Go(func() { uploads(ctx, p, acked, kill, worker) })
			work.Go(func() { publishes(ctx, t, p, acked, kill, worker) })
		}
		time.Sleep(time.Duration(200+rand.IntN(1300)) * time.Millisecond) // the random moment
		p.Kill()
		stop()
		work.Wait()
		p = testkit.Start(t, dir)
	}
	t.Logf("%d kills: %d drops and %d messages acknowledged, %d requests went without an answer", kills, len(acked.drops), len(acked.messages), acked.refused)
	if len(acked.drops) < kills || len(acked.messages) < kills {
		t.Fatal("too little was acknowledged to say anything")
	}
	findDrops(t, p, acked.drops)
	findMessages(t, p, acked.messages)
}

func uploads(ctx context.Context, p *testkit.Platform, acked *acknowledged, kill, worker int) {
	for n := 0; ctx.Err() == nil; n++ {
		content := bytes.Repeat(fmt.Appendf(nil, "%d %d %d\n", kill, worker, n), 1+rand.IntN(2000))
		l, err := share(ctx, p.HTTP, fmt.Sprintf("crash-%d-%d-%d.txt", kill, worker, n), content, nil)
		acked.mu.Lock()
		if err == nil {
			acked.drops[code(l)] = content
		} else {
			acked.refused++
		}
		acked.mu.Unlock()
		if err != nil {
			return // the platform is gone
		}
	}
}

func publishes(ctx context.Context, t *testing.T, p *testkit.Platform, acked *acknowledged, kill, worker int) {
	keys := admin(t, p).Keys
	client := sns.New(sns.Options{
		Region: arn.Region, BaseEndpoint: aws.String(p.AWS), HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil }),
	})
	for n := 0; ctx.Err() == nil; n++ {
		message := fmt.Sprintf("m-%d-%d-%d", kill, worker, n)
		_, err := client.Publish(ctx, &sns.PublishInput{TopicArn: aws.String(arn.Topic(arn.Region, "crash-messages")), Message: &message})
		acked.mu.Lock()
		if err == nil {
			acked.messages[message] = true
		} else {
			acked.refused++
		}
		acked.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// findDrops looks for the bytes and for the work of the drops' functions.
func findDrops(t *testing.T, p *testkit.Platform, drops map[string][]byte) {
	lost := 0
	for c, want := range drops {
		status, _, got := mustGet(t, p.HTTP+"/raw/"+c)
		if status != http.StatusOK || !bytes.Equal(got, want) {
			lost++
			t.Errorf("drop %s: got %d with %d bytes, want %d bytes", c, status, len(got), len(want))
		}
	}
	processed := 0
	for c := range drops {
		eventually(t, "the page of "+c+" shows its text rendered", func() (bool, string) {
			var reply struct{ HTML string }
			invoke(t, p, "drops-dev-viewDrop", fmt.Sprintf(`{"code":%q,"owner":true}`, c), &reply)
			return reply.HTML != "", "no rendering yet"
		})
		processed++
	}
	t.Logf("drops: %d acknowledged, %d lost, %d processed", len(drops), lost, processed)
}

func findMessages(t *testing.T, p *testkit.Platform, messages map[string]bool) {
	times := map[string]int{}
	eventually(t, "every acknowledged message reaches its function", func() (bool, string) {
		var got []string
		invoke(t, p, "recorder-dev-read", `{}`, &got)
		clear(times)
		for _, m := range got {
			times[m]++
		}
		missing := 0
		for m := range messages {
			if times[m] == 0 {
				missing++
			}
		}
		return missing == 0, fmt.Sprintf("%d of %d missing", missing, len(messages))
	})
	again := 0
	for _, n := range times {
		if n > 1 {
			again++
		}
	}
	t.Logf("messages: %d acknowledged, 0 lost, %d delivered more than once", len(messages), again)
}
