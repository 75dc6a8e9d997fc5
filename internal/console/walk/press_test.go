package walk

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/secret"
	"github.com/dropstack/dropstack/internal/secret/kms"
	"github.com/dropstack/dropstack/internal/testkit"
	"github.com/dropstack/dropstack/internal/topic"
)

// small is a service with something behind every button.
const small = `service: shop
provider: {name: aws, runtime: nodejs20.x, memorySize: 128}
custom:
  dropstack:
    monitors:
      - {name: till, path: /till, every: 1s}
    distributions:
      - name: site
        aliases: [shop.localhost]
        behaviours: [{path: "*", cache: true}]
functions:
  order:
    handler: handler.order
    deploymentSettings: {type: AllAtOnce, alias: live}
    events:
      - httpApi: "GET /fruit"
      - schedule: rate(1 hour)
  fail:
    handler: handler.fail
    maximumRetryAttempts: 0
    events:
      - httpApi: "GET /till"
  crash: {handler: handler.crash}
resources:
  Resources:
    Jobs: {Type: AWS::SQS::Queue, Properties: {QueueName: jobs, RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 1}}}
    Dead: {Type: AWS::SQS::Queue, Properties: {QueueName: jobs-dead}}
    Photos: {Type: AWS::S3::Bucket, Properties: {BucketName: shop-photos}}
`

const smallHandler = `
exports.order = async (event) => ({statusCode: 200, headers: {"Cache-Control": "max-age=600"}, body: JSON.stringify({ordered: event.sku ?? "pear"})})
exports.fail = async () => { throw new TypeError("the till is closed") }
exports.crash = async () => { throw new RangeError("too many pears") }
`

// hook is a server that a platform calls: /page is a page that a monitor looks at,
// /news a subscription that refuses its first message, /told a receiver of alerts.
type hook struct {
	*httptest.Server

	mu   sync.Mutex
	news []string
	told int
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch r.URL.Path {
	case "/page":
		_, _ = io.WriteString(w, "a quince")
	case "/told":
		h.told++
	case "/news":
		var message struct{ Type, SubscribeURL, Message string }
		if err := json.Unmarshal(body, &message); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if message.Type == "SubscriptionConfirmation" {
			go confirm(message.SubscribeURL)
			return
		}
		h.news = append(h.news, message.Message)
		if len(h.news) == 1 {
			w.WriteHeader(http.StatusForbidden) // it is not asked again by itself
		}
	}
}

func confirm(link string) {
	if answer, err := http.Get(link); err == nil {
		_ = answer.Body.Close()
	}
}

// eventually waits for what the platform does in its own time.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// call calls an operation that has to succeed.
func call[Out any](t *testing.T, client *api.Client, service, target string, in any) (out Out) {
	t.Helper()
	if err := client.AWS(t.Context(), service, target, in, &out); err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return out
}

// deployed puts the service on a platform in two versions.
func deployed(t *testing.T, p *testkit.Platform) {
	t.Helper()
	dir := t.TempDir()
	for _, handler := range []string{smallHandler, smallHandler + "// another version\n"} {
		for name, text := range map[string]string{"serverless.yml": small, "handler.js": handler} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if out, errs, code := p.Run(t, "", "deploy", dir); code != 0 {
			t.Fatalf("deploy: %s%s", out, errs)
		}
	}
}

// burden leaves what buttons are for: errors, dead letters of a function, a topic and
// a queue, a receiver, a parameter.
func burden(t *testing.T, p *testkit.Platform, client *api.Client, queues *sqs.Client, h *hook) {
	t.Helper()
	for name, async := range map[string]bool{"crash": false, "fail": true} {
		if _, err := client.Invoke(t.Context(), "shop-dev-"+name, []byte("{}"), async); err != nil {
			t.Fatal(err)
		}
	}
	news := call[topic.CreateTopicOutput](t, client, "sns", "CreateTopic", topic.CreateTopicInput{Name: "news"}).TopicArn
	call[topic.SubscriptionOutput](t, client, "sns", "Subscribe", topic.SubscribeInput{TopicArn: news, Protocol: "http", Endpoint: h.URL + "/news"})
	eventually(t, "the hook has subscribed", func() bool {
		out := call[topic.ListSubscriptionsOutput](t, client, "sns", "ListSubscriptions", topic.ListSubscriptionsInput{})
		return len(out.Subscriptions) == 1 && strings.HasPrefix(out.Subscriptions[0].SubscriptionArn, "arn:")
	})
	call[topic.PublishOutput](t, client, "sns", "Publish", topic.PublishInput{TopicArn: news, Message: "a pear"})

	jobs := aws.String(p.AWS + "/000000000000/jobs")
	if _, err := queues.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: jobs, MessageBody: aws.String("plums")}); err != nil {
		t.Fatal(err)
	}
	out, err := queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: jobs})
	if err != nil || len(out.Messages) != 1 {
		t.Fatalf("receive: got %+v, %v", out, err)
	}
	back := &sqs.ChangeMessageVisibilityInput{QueueUrl: jobs, ReceiptHandle: out.Messages[0].ReceiptHandle}
	if _, err := queues.ChangeMessageVisibility(t.Context(), back); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the queue has given its message up", func() bool {
		if _, err := queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: jobs}); err != nil {
			t.Fatal(err)
		}
		about, err := queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
			QueueUrl: aws.String(p.AWS + "/000000000000/jobs-dead"), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages},
		})
		if err != nil {
			t.Fatal(err)
		}
		return about.Attributes["ApproximateNumberOfMessages"] == "1"
	})

	receivers := filepath.Join(t.TempDir(), "receivers.yml")
	doc := "route: {receiver: hook}\nreceivers:\n  - name: hook\n    webhook_configs: [{url: '" + h.URL + "/told'}]\n"
	if err := os.WriteFile(receivers, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := p.Run(t, "", "alert", "receivers", "put", receivers); code != 0 {
		t.Fatalf("receivers: %s%s", out, errs)
	}
	call[secret.PutParameterOutput](t, client, "ssm", "AmazonSSM.PutParameter", secret.PutParameterInput{Name: "/shop/till", Type: "String", Value: "open"})
}

// fruit asks the edge and says whether its cache has answered.
func fruit(t *testing.T, p *testkit.Platform) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.HTTP+"/fruit", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "shop.localhost"
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return strings.Fields(answer.Header.Get("X-Cache"))[0]
}

// TestEveryButton presses what changes something, and looks at the platform afterwards.
func TestEveryButton(t *testing.T) {
	p := testkit.Start(t, testkit.Dir(t), "--services", "none", "--monitor-interval", "1s")
	client, h := administrator(t, p), newHook(t)
	queues := sqs.New(sqs.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(p.AWS), HTTPClient: testkit.AWSClient(),
		Credentials: credentials.NewStaticCredentialsProvider(client.Keys.AccessKeyID, client.Keys.SecretAccessKey, ""),
	})
	deployed(t, p)
	burden(t, p, client, queues, h)
	key := call[kms.CreateKeyOutput](t, client, "kms", "TrentService.CreateKey", kms.CreateKeyInput{Description: "for the till"}).KeyMetadata.KeyId
	keeper := user(t, client, "keeper")
	call[struct{}](t, client, "iam", "AttachUserPolicy", iam.AttachUserPolicyInput{UserName: "keeper", PolicyArn: "arn:aws:iam::aws:policy/AdministratorAccess"})
	if first, second := fruit(t, p), fruit(t, p); first != "Miss" || second != "Hit" {
		t.Fatalf("the edge answers %s, then %s", first, second)
	}

	pressed := 0
	browse(t, p, "press.mjs", map[string]any{"hook": h.URL, "key": key, "keeper": keeper}, func(found) { pressed++ })
	if pressed != 31 {
		t.Errorf("%d buttons did what they say, want 31", pressed)
	}

	if got := fruit(t, p); got != "Miss" {
		t.Errorf("after the invalidation the edge answers %s, want Miss", got)
	}
	eventually(t, "the message that was refused has come again, and the receiver's test", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return slices.Equal(h.news, []string{"a pear", "a pear"}) && h.told > 0
	})
	eventually(t, "the queue has its message back", func() bool {
		out, err := queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(p.AWS + "/000000000000/jobs"), VisibilityTimeout: 60})
		if err != nil {
			t.Fatal(err)
		}
		return len(out.Messages) == 1 && *out.Messages[0].Body == "plums"
	})
	value := call[secret.GetParameterOutput](t, client, "ssm", "AmazonSSM.GetParameter", secret.GetParameterInput{Name: "/shop/key", WithDecryption: true})
	if value.Parameter.Value != "hush hush" {
		t.Errorf("the parameter is %q, want what was set last", value.Parameter.Value)
	}
	if !call[kms.GetKeyRotationStatusOutput](t, client, "kms", "TrentService.GetKeyRotationStatus", kms.KeyInput{KeyId: key}).KeyRotationEnabled {
		t.Error("the key does not rotate")
	}
	objects, err := client.S3().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("shop-photos")})
	if err != nil || len(objects.Contents) != 0 {
		t.Errorf("the bucket has %v, %v; what was uploaded was deleted", objects, err)
	}
}
