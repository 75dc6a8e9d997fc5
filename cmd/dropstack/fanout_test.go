package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/testkit"
)

const subscribers = 6

// audience is six web servers that count what they get.
type audience struct {
	t      *testing.T
	seen   [subscribers][]atomic.Uint32 // by message
	left   atomic.Int64                 // messages × subscribers that nobody has got yet
	all    chan struct{}                // closed at 0
	tokens chan string
}

func newAudience(t *testing.T, messages int) (*audience, *httptest.Server) {
	a := &audience{t: t, all: make(chan struct{}), tokens: make(chan string, 10*subscribers)}
	for i := range a.seen {
		a.seen[i] = make([]atomic.Uint32, messages)
	}
	a.left.Store(int64(messages) * subscribers)
	web := httptest.NewServer(a)
	t.Cleanup(web.Close)
	return a, web
}

func (a *audience) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the platform was killed as it wrote
	}
	if r.Header.Get("X-Amz-Sns-Message-Type") == "SubscriptionConfirmation" {
		var ask struct{ Token string }
		if err := json.Unmarshal(body, &ask); err != nil {
			a.t.Error(err)
		}
		a.tokens <- ask.Token
		return
	}
	who, err1 := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
	what, err2 := strconv.Atoi(strings.TrimSpace(string(body)))
	if err1 != nil || err2 != nil || who >= subscribers || what >= len(a.seen[0]) {
		a.t.Errorf("%s got %q", r.URL.Path, body)
		return
	}
	if a.seen[who][what].Add(1) == 1 && a.left.Add(-1) == 0 {
		close(a.all)
	}
}

// again counts deliveries beyond the first.
func (a *audience) again() (n int) {
	for i := range a.seen {
		for k := range a.seen[i] {
			n += int(max(1, a.seen[i][k].Load())) - 1
		}
	}
	return n
}

// snsOf is an official client of a platform.
func snsOf(t *testing.T, p *testkit.Platform) *sns.Client {
	keys := admin(t, p).Keys
	return sns.New(sns.Options{
		Region: arn.Region, BaseEndpoint: aws.String(p.AWS), HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil }),
	})
}

// TestEveryMessageReachesSixSubscribers publishes while the platform is killed at
// random moments and started again. Every message is published until it has been
// acknowledged, and each subscriber must get each of them at least once.
// $DROPSTACK_MESSAGES says how many.
func TestEveryMessageReachesSixSubscribers(t *testing.T) {
	messages := 20_000
	if testing.Short() {
		messages = 4_000
	}
	if n, err := strconv.Atoi(os.Getenv("DROPSTACK_MESSAGES")); err == nil {
		messages = n
	}
	messages -= messages % perBatch
	dir := testkit.Dir(t)
	p := testkit.Start(t, dir, "--services", "none")
	a, web := newAudience(t, messages)
	topicARN := a.subscribe(snsOf(t, p), web.URL)

	began := time.Now()
	var client atomic.Pointer[sns.Client]
	client.Store(snsOf(t, p))
	var refused atomic.Int64
	published := make(chan struct{})
	var work sync.WaitGroup
	var next atomic.Int64
	for range 16 {
		work.Go(func() {
			for first := next.Add(perBatch) - perBatch; first < int64(messages); first = next.Add(perBatch) - perBatch {
				publishUntilAcknowledged(t, &client, topicARN, int(first), &refused)
			}
		})
	}
	go func() { work.Wait(); close(published) }()

	kills, took := 0, time.Duration(0)
	longest := max(1500*time.Millisecond, time.Duration(messages)*30*time.Microsecond)
	// What was on its way when the platform was killed comes again ten seconds after
	// the next start: lives that are all shorter would never deliver it.
	for quiet := published; ; {
		select {
		case <-time.After(300*time.Millisecond + rand.N(longest)): // the random moment
			p.Kill()
			kills++
			p = testkit.Start(t, dir, "--services", "none")
			client.Store(snsOf(t, p))
			continue
		case <-quiet:
			took, quiet = time.Since(began), nil
			longest = max(longest, 40*time.Second)
			if kills < 3 || messages > 100_000 {
				continue
			}
		case <-a.all:
		}
		break
	}
	if took == 0 {
		took = time.Since(began)
	}
	select {
	case <-a.all:
	case <-time.After(5*time.Minute + time.Duration(messages)*time.Millisecond):
		t.Fatalf("%d of %d deliveries are missing\n%s", a.left.Load(), messages*subscribers, p.Log())
	}
	all := time.Since(began)
	t.Logf("%d messages to %d subscribers, %d kills: published in %v, delivered in %v (%.0f deliveries/s); 0 lost, %d batches published again, %d deliveries more than once",
		messages, subscribers, kills, took.Round(time.Millisecond), all.Round(time.Millisecond), float64(messages*subscribers)/all.Seconds(), refused.Load(), a.again())
}

const perBatch = 10

// publishUntilAcknowledged publishes one batch, again and again while the platform
// is away.
func publishUntilAcknowledged(t *testing.T, client *atomic.Pointer[sns.Client], topicARN string, first int, refused *atomic.Int64) {
	todo := make([]types.PublishBatchRequestEntry, perBatch)
	for i := range todo {
		text := strconv.Itoa(first + i)
		todo[i] = types.PublishBatchRequestEntry{Id: aws.String(text), Message: aws.String(text)}
	}
	for t.Context().Err() == nil && len(todo) > 0 {
		out, err := client.Load().PublishBatch(t.Context(), &sns.PublishBatchInput{TopicArn: &topicARN, PublishBatchRequestEntries: todo})
		if err != nil {
			refused.Add(1)
			time.Sleep(10 * time.Millisecond) // the platform is away: do not spin
			continue
		}
		for _, done := range out.Successful {
			for i := range todo {
				if *todo[i].Id == *done.Id {
					todo = append(todo[:i], todo[i+1:]...)
					break
				}
			}
		}
	}
}

// subscribe subscribes the six web servers and confirms each.
func (a *audience) subscribe(client *sns.Client, at string) (topicARN string) {
	a.t.Helper()
	ctx := a.t.Context()
	made, err := client.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("fanout")})
	if err != nil {
		a.t.Fatal(err)
	}
	for i := range subscribers {
		_, err := client.Subscribe(ctx, &sns.SubscribeInput{
			TopicArn: made.TopicArn, Protocol: aws.String("http"), Endpoint: aws.String(fmt.Sprint(at, "/", i)),
			Attributes: map[string]string{"RawMessageDelivery": "true", "DeliveryPolicy": `{"healthyRetryPolicy":{"numRetries":100,"minDelayTarget":1,"maxDelayTarget":1}}`},
		})
		if err != nil {
			a.t.Fatal(err)
		}
		select {
		case token := <-a.tokens:
			if _, err := client.ConfirmSubscription(ctx, &sns.ConfirmSubscriptionInput{TopicArn: made.TopicArn, Token: &token}); err != nil {
				a.t.Fatal(err)
			}
		case <-time.After(20 * time.Second):
			a.t.Fatal("nobody was asked to confirm")
		}
	}
	return *made.TopicArn
}
