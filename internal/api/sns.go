package api

import (
	"context"
	"encoding/base64"
	"net/http"
	"sort"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/topic"
)

// SNS is Amazon SNS over the topics.
type SNS struct {
	Topics interface {
		Publish(ctx context.Context, in topic.PublishInput) (messageID string, err error)
		PublishBatch(ctx context.Context, topicArn string, entries []topic.BatchEntry) ([]topic.BatchResult, error)
		List() []topic.Topic
	}
}

// Service is the service "sns".
func (s *SNS) Service() *Service {
	return &Service{
		Scope: "sns", Namespace: "http://sns.amazonaws.com/doc/2010-03-31/",
		Codes: map[string]string{"AccessDeniedException": "AuthorizationError", "ValidationException": "InvalidParameter", "MalformedInput": "InvalidParameter", "ResourceNotFoundException": "NotFound"},
		Operations: map[string]Operation{
			"Publish":      op(s.publish, func(in PublishInput) []Need { return on(in.to()) }).aboutData(),
			"PublishBatch": op(s.publishBatch, func(in PublishBatchInput) []Need { return []Need{{Action: "sns:Publish", Resource: in.TopicArn}} }).aboutData(),
			"ListTopics":   op(s.listTopics, nil),
		},
	}
}

// Inputs and outputs, as SNS has them.
type (
	// Message is what one publication says.
	Message struct {
		Message           string
		Subject           string
		MessageStructure  string
		MessageAttributes map[string]MessageAttribute
	}
	// MessageAttribute is the value of an attribute.
	MessageAttribute struct {
		DataType    string
		StringValue *string
		BinaryValue []byte
	}
	// PublishInput is one message to one topic.
	PublishInput struct {
		Message
		TopicArn, TargetArn, PhoneNumber string
	}
	// PublishOutput names the message.
	PublishOutput struct{ MessageId string }
	// PublishBatchInput is up to ten messages to one topic.
	PublishBatchInput struct {
		TopicArn                   string
		PublishBatchRequestEntries []struct {
			Id string
			Message
		}
	}
	// PublishBatchOutput says what became of each.
	PublishBatchOutput struct {
		Successful []BatchSuccess
		Failed     []BatchFailure
	}
	// BatchSuccess is a message that was published.
	BatchSuccess struct{ Id, MessageId string }
	// BatchFailure is one that was not.
	BatchFailure struct {
		Id, Code, Message string
		SenderFault       bool
	}
	// ListTopicsInput asks for a page.
	ListTopicsInput struct{ NextToken string }
	// ListTopicsOutput is a page.
	ListTopicsOutput struct {
		Topics    []ListedTopic
		NextToken string `json:",omitempty"`
	}
	// ListedTopic names a topic.
	ListedTopic struct{ TopicArn string }
)

// to is the topic that a message is for.
func (in PublishInput) to() string {
	if in.TopicArn != "" {
		return in.TopicArn
	}
	return in.TargetArn
}

func (s *SNS) publish(ctx context.Context, in PublishInput) (PublishOutput, error) {
	if in.PhoneNumber != "" {
		return PublishOutput{}, fault.Coded(fault.Invalid, "InvalidParameter", "Invalid parameter: PhoneNumber Reason: messages to telephones are not offered here")
	}
	m, err := in.message()
	if err != nil {
		return PublishOutput{}, err
	}
	m.TopicArn = in.to()
	id, err := s.Topics.Publish(ctx, m)
	return PublishOutput{id}, err
}

func (s *SNS) publishBatch(ctx context.Context, in PublishBatchInput) (PublishBatchOutput, error) {
	var entries []topic.BatchEntry
	for _, e := range in.PublishBatchRequestEntries {
		m, err := e.message()
		if err != nil {
			return PublishBatchOutput{}, err
		}
		entries = append(entries, topic.BatchEntry{ID: e.Id, PublishInput: m})
	}
	results, err := s.Topics.PublishBatch(ctx, in.TopicArn, entries)
	if err != nil {
		return PublishBatchOutput{}, err
	}
	out := PublishBatchOutput{}
	for _, r := range results {
		if r.Err == nil {
			out.Successful = append(out.Successful, BatchSuccess{r.ID, r.MessageID})
			continue
		}
		f := failureOf(r.Err, r.ID)
		if f.status == http.StatusServiceUnavailable {
			f.code = "ServiceUnavailable"
		}
		out.Failed = append(out.Failed, BatchFailure{r.ID, f.code, f.message, !f.ours})
	}
	return out, nil
}

// topicsPerPage is what SNS lists at once. NextToken is the last ARN of the page.
const topicsPerPage = 100

func (s *SNS) listTopics(_ context.Context, in ListTopicsInput) (ListTopicsOutput, error) {
	after, err := base64.RawURLEncoding.DecodeString(in.NextToken)
	if err != nil {
		return ListTopicsOutput{}, fault.Coded(fault.Invalid, "InvalidParameter", "Invalid parameter: NextToken Reason: it is not one that ListTopics returned")
	}
	list := s.Topics.List()
	first := sort.Search(len(list), func(i int) bool { return list[i].ARN > string(after) })
	out := ListTopicsOutput{}
	for _, t := range list[first:] {
		if len(out.Topics) == topicsPerPage {
			out.NextToken = base64.RawURLEncoding.EncodeToString([]byte(out.Topics[topicsPerPage-1].TopicArn))
			break
		}
		out.Topics = append(out.Topics, ListedTopic{t.ARN})
	}
	return out, nil
}

// message is the message as topics take it.
func (m Message) message() (topic.PublishInput, error) {
	in := topic.PublishInput{Message: m.Message, Subject: m.Subject, Structure: m.MessageStructure, Attributes: map[string]topic.Attribute{}}
	for name, a := range m.MessageAttributes {
		to := topic.Attribute{Type: a.DataType}
		switch binary := strings.HasPrefix(a.DataType, "Binary"); {
		case binary && a.BinaryValue != nil:
			to.Value = base64.StdEncoding.EncodeToString(a.BinaryValue)
		case !binary && a.StringValue != nil:
			to.Value = *a.StringValue
		case binary && a.StringValue != nil:
			return in, wrongField(name, a.DataType, "Binary")
		case a.BinaryValue != nil:
			return in, wrongField(name, a.DataType, "String")
		}
		in.Attributes[name] = to
	}
	return in, nil
}

func wrongField(name, kind, field string) error {
	return fault.Coded(fault.Invalid, "ParameterValueInvalid", "The message attribute '%s' with type '%s' must use field '%s'.", name, kind, field)
}
