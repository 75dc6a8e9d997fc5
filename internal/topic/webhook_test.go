package topic_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/topic"
)

// call is one request that an endpoint got.
type call struct {
	header http.Header
	path   string
	body   string
}

func (c call) posted(t *testing.T) (p map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(c.body), &p); err != nil {
		t.Fatalf("%s: %v", c.body, err)
	}
	return p
}

// endpoint is a web server that answers with status, and tells what it gets.
type endpoint struct {
	*httptest.Server
	calls chan call
}

func newEndpoint(t *testing.T, start func(http.Handler) *httptest.Server, status func(call) int) *endpoint {
	e := &endpoint{calls: make(chan call, 1000)}
	e.Server = start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		c := call{r.Header, r.URL.Path, string(body)}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status(c))
		e.calls <- c
	}))
	t.Cleanup(e.Close)
	return e
}

// status is what an endpoint answers until it changes its mind.
type status struct{ atomic.Int64 }

func answering(code int) *status {
	s := &status{}
	s.Store(int64(code))
	return s
}

func (s *status) get() int { return int(s.Load()) }

func ok(call) int { return http.StatusOK }

func (e *endpoint) next(t *testing.T) call {
	t.Helper()
	select {
	case c := <-e.calls:
		return c
	case <-time.After(20 * time.Second):
		t.Fatal("the endpoint got nothing more")
		return call{}
	}
}

// subscribe subscribes an endpoint and follows the link that it is sent.
func (e *endpoint) subscribe(t *testing.T, to *topic.Topics, topicARN string, attributes map[string]string) string {
	t.Helper()
	u, err := url.Parse(e.URL)
	if err != nil {
		t.Fatal(err)
	}
	in := topic.SubscribeInput{TopicArn: topicARN, Protocol: u.Scheme, Endpoint: e.URL + "/hook", Attributes: attributes}
	if got := must(t, to.Subscribe, in).SubscriptionArn; got != "pending confirmation" {
		t.Errorf("subscribed as %q, want pending confirmation", got)
	}
	token, _ := e.next(t).posted(t)["Token"].(string)
	return must(t, to.ConfirmSubscription, topic.ConfirmSubscriptionInput{TopicArn: topicARN, Token: token}).SubscriptionArn
}

// verify checks a signature as a receiver does: with the certificate alone, over
// the text that AWS documents.
func verify(t *testing.T, to *topic.Topics, p map[string]any, fields ...string) {
	t.Helper()
	file, doc := to.Identity.Certificate()
	if want := to.Endpoint + "/" + file; p["SigningCertURL"] != want || !strings.HasSuffix(file, ".pem") {
		t.Errorf("certificate at %v, want %s", p["SigningCertURL"], want)
	}
	block, _ := pem.Decode(doc)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	var text string
	for _, f := range fields {
		if v, ok := p[f].(string); ok {
			text += f + "\n" + v + "\n"
		}
	}
	signature, err := base64.StdEncoding.DecodeString(p["Signature"].(string))
	if err != nil {
		t.Fatal(err)
	}
	one, two := sha1.Sum([]byte(text)), sha256.Sum256([]byte(text))
	hash, digest := crypto.SHA1, one[:]
	if p["SignatureVersion"] == "2" {
		hash, digest = crypto.SHA256, two[:]
	}
	if err := rsa.VerifyPKCS1v15(cert.PublicKey.(*rsa.PublicKey), hash, digest, signature); err != nil {
		t.Errorf("signature of %s: %v", text, err)
	}
}

func TestWebhookConfirmsAndReceives(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	edited(t, to)
	run(t, to)
	at := create(t, to, "orders")
	e := newEndpoint(t, httptest.NewServer, ok)
	in := topic.SubscribeInput{TopicArn: at, Protocol: "http", Endpoint: e.URL + "/hook"}
	must(t, to.Subscribe, in)
	publish(t, to, at, "nobody has confirmed")

	ask := e.next(t)
	p := ask.posted(t)
	if ask.header.Get("x-amz-sns-message-type") != "SubscriptionConfirmation" || p["Type"] != "SubscriptionConfirmation" || p["TopicArn"] != at {
		t.Errorf("asked with %v %v", ask.header, p)
	}
	verify(t, to, p, "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
	link, err := url.Parse(p["SubscribeURL"].(string))
	if err != nil {
		t.Fatal(err)
	}
	if q := link.Query(); q.Get("Action") != "ConfirmSubscription" || q.Get("TopicArn") != at || q.Get("Token") != p["Token"] {
		t.Errorf("link %s", link)
	}
	if list := must(t, to.ListSubscriptions, topic.ListSubscriptionsInput{}).Subscriptions; len(list) != 1 || list[0].SubscriptionArn != "PendingConfirmation" {
		t.Errorf("listed %+v, want one that waits", list)
	}
	refuses(t, to.ConfirmSubscription, topic.ConfirmSubscriptionInput{TopicArn: at, Token: "guessed"}, "InvalidParameter")
	confirm := topic.ConfirmSubscriptionInput{TopicArn: at, Token: p["Token"].(string)}
	sub := must(t, to.ConfirmSubscription, confirm).SubscriptionArn
	if again := must(t, to.ConfirmSubscription, confirm).SubscriptionArn; again != sub {
		t.Errorf("confirmed twice as %s and %s", sub, again)
	}

	must(t, to.Publish, topic.PublishInput{
		TopicArn: at, Subject: "s", MessageStructure: "json", Message: `{"default":"for all","http":"for <web> & servers"}`,
		MessageAttributes: attribute("kind", "String", "image"),
	})
	got := e.next(t)
	p = got.posted(t)
	verify(t, to, p, "Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
	for name, want := range map[string]string{
		"X-Amz-Sns-Message-Type": "Notification", "X-Amz-Sns-Message-Id": p["MessageId"].(string), "X-Amz-Sns-Topic-Arn": at,
		"X-Amz-Sns-Subscription-Arn": sub, "Content-Type": "text/plain; charset=UTF-8", "User-Agent": "Amazon Simple Notification Service Agent",
	} {
		if got := got.header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for _, vary := range []string{"MessageId", "Timestamp", "Signature", "SigningCertURL", "UnsubscribeURL"} {
		delete(p, vary)
	}
	want := map[string]any{
		"Type": "Notification", "TopicArn": at, "Subject": "s", "Message": "for <web> & servers", "SignatureVersion": "1",
		"MessageAttributes": map[string]any{"kind": map[string]any{"Type": "String", "Value": "image"}},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRawDeliveryAndSignatureVersion(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	edited(t, to)
	run(t, to)
	at := must(t, to.CreateTopic, topic.CreateTopicInput{Name: "orders", Attributes: map[string]string{"SignatureVersion": "2"}}).TopicArn
	raw, signed := newEndpoint(t, httptest.NewServer, ok), newEndpoint(t, httptest.NewServer, ok)
	raw.subscribe(t, to, at, map[string]string{"RawMessageDelivery": "true", "DeliveryPolicy": `{"requestPolicy":{"headerContentType":"application/json"}}`})
	signed.subscribe(t, to, at, nil)
	publish(t, to, at, `{"a":1}`)
	got := raw.next(t)
	if got.body != `{"a":1}` || got.header.Get("X-Amz-Sns-Rawdelivery") != "true" || got.header.Get("Content-Type") != "application/json" || got.path != "/hook" {
		t.Errorf("raw: got %+v", got)
	}
	p := signed.next(t).posted(t)
	if p["SignatureVersion"] != "2" {
		t.Errorf("signature version %v, want 2", p["SignatureVersion"])
	}
	verify(t, to, p, "Message", "MessageId", "Timestamp", "TopicArn", "Type")
}

func TestHTTPSIsVerified(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	edited(t, to)
	run(t, to)
	at := create(t, to, "orders")
	e := newEndpoint(t, httptest.NewTLSServer, ok)
	to.RootCAs = x509.NewCertPool()
	to.RootCAs.AddCert(e.Certificate())
	e.subscribe(t, to, at, nil)
	publish(t, to, at, "m")
	if got := e.next(t).posted(t)["Message"]; got != "m" {
		t.Errorf("got %v, want m", got)
	}
}

// atOnce are three retries without delays.
const atOnce = `{"healthyRetryPolicy":{"numRetries":3,"numNoDelayRetries":3}}`

func TestWebhookIsTriedAgain(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	edited(t, to)
	run(t, to)
	at := create(t, to, "orders")
	answers := []int{200, 500, 429, 503, 204}
	var n atomic.Int64
	e := newEndpoint(t, httptest.NewServer, func(call) int { return answers[n.Add(1)-1] })
	e.subscribe(t, to, at, map[string]string{"DeliveryPolicy": atOnce})
	publish(t, to, at, "m")
	first := e.next(t)
	for range 3 {
		if again := e.next(t); again.body != first.body {
			t.Errorf("tried again with %s, want %s", again.body, first.body)
		}
	}
	counts(t, to, at, topic.Counts{Delivered: 1, Failed: 3, Retried: 3})
}

// counts waits until the only subscription of a topic has counted this.
func counts(t *testing.T, to *topic.Topics, topicARN string, want topic.Counts) {
	t.Helper()
	var got topic.Status
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if got = must(t, to.Status, topicARN)[0]; got.Counts == want && got.Backlog == 0 {
			return
		}
	}
	t.Errorf("counted %+v, want %+v and nothing left", got, want)
}

func TestWhatAnEndpointDoesNotTakeIsADeadLetter(t *testing.T) {
	for name, c := range map[string]struct {
		status   int
		attempts int
	}{
		"refused for good": {http.StatusForbidden, 1},
		"a redirect":       {http.StatusFound, 1},
		"never answered":   {http.StatusBadGateway, 4},
	} {
		t.Run(name, func(t *testing.T) {
			in := newInbox()
			to := newTopics(t, streams(t), serial{handle: in.handle})
			edited(t, to)
			run(t, to)
			at, dead := create(t, to, "orders"), create(t, to, "dead")
			must(t, to.Subscribe, topic.SubscribeInput{TopicArn: dead, Protocol: "lambda", Endpoint: "arn:aws:lambda:us-east-1:000000000000:function:undertaker"})
			status := answering(http.StatusOK)
			e := newEndpoint(t, httptest.NewServer, func(c call) int {
				if c.path == "/elsewhere" {
					t.Error("the redirect was followed")
				}
				return status.get()
			})
			sub := e.subscribe(t, to, at, map[string]string{"DeliveryPolicy": atOnce, "RedrivePolicy": `{"deadLetterTargetArn":"` + dead + `"}`})
			status.Store(int64(c.status))
			id := publish(t, to, at, "m")
			buried := sns(t, in.wait(t, 1)["undertaker"][0])
			if attributes := buried.MessageAttributes["SubscriptionArn"].(map[string]any); buried.Message != "m" || attributes["Value"] != sub {
				t.Errorf("buried %+v", buried)
			}
			for range c.attempts {
				e.next(t)
			}
			counts(t, to, at, topic.Counts{Failed: int64(c.attempts), Retried: int64(c.attempts - 1), Dead: 1})
			letters, err := to.Letters(t.Context(), sub, 10)
			if err != nil || len(letters) != 1 || letters[0].MessageID != id || !strings.Contains(letters[0].Error, "answered") {
				t.Fatalf("letters %+v, %v, want one of message %s", letters, err, id)
			}
			status.Store(http.StatusOK)
			if _, err := to.Redrive(t.Context(), sub, "another"); err == nil {
				t.Error("a letter that does not exist was redriven")
			}
			if n, err := to.Redrive(t.Context(), sub, id); n != 1 || err != nil {
				t.Errorf("redrove %d, %v, want 1", n, err)
			}
			if got := e.next(t).posted(t); got["MessageId"] != id || got["Message"] != "m" {
				t.Errorf("redriven as %v, want the message as it was", got)
			}
			if letters, err := to.Letters(t.Context(), sub, 10); err != nil || len(letters) != 0 {
				t.Errorf("letters %+v, %v, want none", letters, err)
			}
		})
	}
}

func TestARedrivenMessageIsForItsSubscriptionAlone(t *testing.T) {
	in := newInbox()
	to := newTopics(t, streams(t), serial{handle: in.handle})
	edited(t, to)
	run(t, to)
	at := create(t, to, "orders")
	must(t, to.Subscribe, topic.SubscribeInput{TopicArn: at, Protocol: "lambda", Endpoint: "arn:aws:lambda:us-east-1:000000000000:function:f"})
	status := answering(http.StatusOK)
	e := newEndpoint(t, httptest.NewServer, func(call) int { return status.get() })
	sub := e.subscribe(t, to, at, nil)
	status.Store(http.StatusGone)
	publish(t, to, at, "one")
	e.next(t)
	in.wait(t, 1)
	for end := time.Now().Add(20 * time.Second); ; {
		if letters, err := to.Letters(t.Context(), sub, 1); err != nil || len(letters) == 1 {
			break
		} else if time.Now().After(end) {
			t.Fatal("no dead letter")
		}
	}
	status.Store(http.StatusOK)
	if n, err := to.Redrive(t.Context(), sub, ""); n != 1 || err != nil {
		t.Fatalf("redrove %d, %v, want 1", n, err)
	}
	e.next(t)
	publish(t, to, at, "two")
	e.next(t)
	if diff := cmp.Diff([]string{"one", "two"}, messages(t, in.wait(t, 1)["f"])); diff != "" {
		t.Errorf("the function -want +got:\n%s", diff)
	}
}

func TestEndpointsInsideAreClosedToFunctions(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	edited(t, to)
	to.MayReachInside = func(context.Context) bool { return false }
	run(t, to)
	at := create(t, to, "orders")
	e := newEndpoint(t, httptest.NewServer, ok)
	u, err := url.Parse(e.URL)
	if err != nil {
		t.Fatal(err)
	}
	for i, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		ask := topic.SubscribeInput{TopicArn: at, Protocol: "http", Endpoint: "http://" + host + ":" + u.Port() + "/" + string(rune('a'+i))}
		must(t, to.Subscribe, ask)
	}
	to.MayReachInside = func(context.Context) bool { return true }
	e.subscribe(t, to, at, nil) // would have come after the others
	select {
	case c := <-e.calls:
		t.Errorf("the endpoint got %+v", c)
	default:
	}
}

func TestLeavingAndComingBack(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	edited(t, to)
	run(t, to)
	at := create(t, to, "orders")
	e := newEndpoint(t, httptest.NewServer, ok)
	sub := e.subscribe(t, to, at, nil)
	leave := topic.UnsubscribeInput{SubscriptionArn: sub}
	must(t, to.Leave, leave)
	if list := must(t, to.ListSubscriptions, topic.ListSubscriptionsInput{}).Subscriptions; len(list) != 0 {
		t.Errorf("listed %+v after it left", list)
	}
	publish(t, to, at, "while away")
	p := e.next(t).posted(t)
	if p["Type"] != "UnsubscribeConfirmation" {
		t.Errorf("told %v, want that it has left", p)
	}
	verify(t, to, p, "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
	must(t, to.ConfirmSubscription, topic.ConfirmSubscriptionInput{TopicArn: at, Token: p["Token"].(string), AuthenticateOnUnsubscribe: "true"})
	publish(t, to, at, "back again")
	if got := e.next(t).posted(t)["Message"]; got != "back again" {
		t.Errorf("got %v, want what was published since", got)
	}
	refuses(t, to.Leave, leave, "AuthorizationError") // it asked for that
	must(t, to.Unsubscribe, leave)
}

func TestConfirmationOutlivesARestart(t *testing.T) {
	dir := t.TempDir()
	e := newEndpoint(t, httptest.NewServer, ok)
	var declared *editor
	var at, token string
	t.Run("ask", func(t *testing.T) {
		to := newTopics(t, enginetest.StreamsIn(t, dir), serial{})
		declared = edited(t, to)
		stop := run(t, to)
		at = create(t, to, "orders")
		must(t, to.Subscribe, topic.SubscribeInput{TopicArn: at, Protocol: "http", Endpoint: e.URL})
		token = e.next(t).posted(t)["Token"].(string)
		stop()
	})
	t.Run("answer", func(t *testing.T) {
		to := newTopics(t, enginetest.StreamsIn(t, dir), serial{})
		edited(t, to)
		declared.to, to.Editor = to, declared
		replace(t, to, "api", declared.topics["api"], declared.subs["api"])
		run(t, to)
		must(t, to.ConfirmSubscription, topic.ConfirmSubscriptionInput{TopicArn: at, Token: token})
		publish(t, to, at, "m")
		if got := e.next(t).posted(t); got["Message"] != "m" {
			t.Errorf("got %v, want the message: the endpoint had been asked already", got)
		}
	})
}

func TestRetryOfAWebhookOutlivesARestart(t *testing.T) {
	dir := t.TempDir()
	status := answering(http.StatusInternalServerError)
	e := newEndpoint(t, httptest.NewServer, func(c call) int {
		if c.header.Get("X-Amz-Sns-Message-Type") != "Notification" {
			return http.StatusOK
		}
		return status.get()
	})
	var declared *editor
	var at string
	t.Run("fail", func(t *testing.T) {
		to := newTopics(t, enginetest.StreamsIn(t, dir), serial{})
		declared = edited(t, to)
		stop := run(t, to)
		at = create(t, to, "orders")
		e.subscribe(t, to, at, map[string]string{"DeliveryPolicy": `{"healthyRetryPolicy":{"numRetries":1,"minDelayTarget":1,"maxDelayTarget":1}}`})
		publish(t, to, at, "m")
		e.next(t)
		stop()
	})
	t.Run("try again", func(t *testing.T) {
		status.Store(http.StatusOK)
		to := newTopics(t, enginetest.StreamsIn(t, dir), serial{})
		edited(t, to)
		declared.to, to.Editor = to, declared
		replace(t, to, "api", declared.topics["api"], declared.subs["api"])
		run(t, to)
		if got := e.next(t).posted(t)["Message"]; got != "m" {
			t.Errorf("got %v, want m", got)
		}
		counts(t, to, at, topic.Counts{Delivered: 1, Failed: 1, Retried: 1})
	})
}
