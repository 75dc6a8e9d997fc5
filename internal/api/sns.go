package api

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/topic"
)

// SNS speaks the SNS API: the AWS Query protocol, version 2010-03-31, which every
// SDK of today sends.
type SNS struct {
	Topics interface {
		Publish(ctx context.Context, in topic.PublishInput) (topic.PublishOutput, error)
		PublishBatch(ctx context.Context, in topic.PublishBatchInput) (topic.PublishBatchOutput, error)
		List() []topic.Topic
	}
	Log *slog.Logger
}

const snsNamespace = "http://sns.amazonaws.com/doc/2010-03-31/"

// ServeQuery answers a request whose signature was verified and whose form was
// parsed. The answer names requestID.
func (s *SNS) ServeQuery(ctx context.Context, w http.ResponseWriter, form url.Values, requestID string) {
	result, err := s.do(ctx, form)
	if err != nil {
		s.fail(w, form.Get("Action"), requestID, err)
		return
	}
	action := form.Get("Action")
	snsWrite(w, http.StatusOK, requestID, snsResponse{
		XMLName: xml.Name{Local: action + "Response"}, Namespace: snsNamespace,
		Result: result, RequestID: requestID,
	})
}

func (s *SNS) do(ctx context.Context, form url.Values) (any, error) {
	switch action := form.Get("Action"); action {
	case "Publish":
		return s.publish(ctx, form)
	case "PublishBatch":
		return s.publishBatch(ctx, form)
	case "ListTopics":
		return s.listTopics(form)
	case "":
		return nil, fault.Coded(fault.Invalid, "MissingAction", "The request has no Action.")
	default:
		return nil, fault.Coded(fault.Invalid, "InvalidAction",
			"The action %s is not offered for SNS here; Publish, PublishBatch and ListTopics are. Topics and subscriptions come from serverless.yml.", action)
	}
}

// Answers. Their root element is ACTIONResponse, with ACTIONResult inside.
type (
	snsResponse struct {
		XMLName   xml.Name
		Namespace string `xml:"xmlns,attr"`
		Result    any
		RequestID string `xml:"ResponseMetadata>RequestId"`
	}
	publishResult struct {
		XMLName   xml.Name `xml:"PublishResult"`
		MessageID string   `xml:"MessageId"`
	}
	publishBatchResult struct {
		XMLName    xml.Name       `xml:"PublishBatchResult"`
		Successful []batchSuccess `xml:"Successful>member"`
		Failed     []batchFailure `xml:"Failed>member"`
	}
	batchSuccess struct {
		ID        string `xml:"Id"`
		MessageID string `xml:"MessageId"`
	}
	batchFailure struct {
		ID          string `xml:"Id"`
		Code        string `xml:"Code"`
		Message     string `xml:"Message"`
		SenderFault bool   `xml:"SenderFault"`
	}
	listTopicsResult struct {
		XMLName   xml.Name      `xml:"ListTopicsResult"`
		Topics    []listedTopic `xml:"Topics>member"`
		NextToken string        `xml:"NextToken,omitempty"`
	}
	listedTopic struct {
		ARN string `xml:"TopicArn"`
	}
	snsErrorResponse struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Namespace string   `xml:"xmlns,attr"`
		Type      string   `xml:"Error>Type"` // Sender or Receiver
		Code      string   `xml:"Error>Code"`
		Message   string   `xml:"Error>Message"`
		RequestID string   `xml:"RequestId"`
	}
)

func (s *SNS) publish(ctx context.Context, form url.Values) (any, error) {
	if form.Has("PhoneNumber") {
		return nil, fault.Coded(fault.Invalid, "InvalidParameter", "Invalid parameter: PhoneNumber Reason: messages to telephones are not offered here")
	}
	in, err := snsMessage(form, "")
	if err != nil {
		return nil, err
	}
	in.TopicArn = form.Get("TopicArn")
	if in.TopicArn == "" {
		in.TopicArn = form.Get("TargetArn")
	}
	out, err := s.Topics.Publish(ctx, in)
	return publishResult{MessageID: out.MessageId}, err
}

func (s *SNS) publishBatch(ctx context.Context, form url.Values) (any, error) {
	const list = "PublishBatchRequestEntries.member."
	var entries []topic.PublishBatchRequestEntry
	for _, n := range snsIndexes(form, list) {
		prefix := list + strconv.Itoa(n) + "."
		in, err := snsMessage(form, prefix)
		if err != nil {
			return nil, err
		}
		entries = append(entries, topic.PublishBatchRequestEntry{
			Id: form.Get(prefix + "Id"), Message: in.Message, Subject: in.Subject,
			MessageStructure: in.MessageStructure, MessageAttributes: in.MessageAttributes,
		})
	}
	results, err := s.Topics.PublishBatch(ctx, topic.PublishBatchInput{TopicArn: form.Get("TopicArn"), PublishBatchRequestEntries: entries})
	if err != nil {
		return nil, err
	}
	out := publishBatchResult{}
	for _, r := range results.Successful {
		out.Successful = append(out.Successful, batchSuccess{r.Id, r.MessageId})
	}
	for _, r := range results.Failed {
		out.Failed = append(out.Failed, batchFailure{r.Id, r.Code, r.Message, r.SenderFault})
	}
	return out, nil
}

// topicsPerPage is what SNS lists at once. NextToken is the last ARN of the page.
const topicsPerPage = 100

func (s *SNS) listTopics(form url.Values) (any, error) {
	after, err := base64.RawURLEncoding.DecodeString(form.Get("NextToken"))
	if err != nil {
		return nil, fault.Coded(fault.Invalid, "InvalidParameter", "Invalid parameter: NextToken Reason: it is not one that ListTopics returned")
	}
	list := s.Topics.List()
	first := sort.Search(len(list), func(i int) bool { return list[i].ARN > string(after) })
	out := listTopicsResult{}
	for _, t := range list[first:] {
		if len(out.Topics) == topicsPerPage {
			out.NextToken = base64.RawURLEncoding.EncodeToString([]byte(out.Topics[topicsPerPage-1].ARN))
			break
		}
		out.Topics = append(out.Topics, listedTopic{t.ARN})
	}
	return out, nil
}

// snsMessage reads the message whose parameters begin with prefix.
func snsMessage(form url.Values, prefix string) (topic.PublishInput, error) {
	in := topic.PublishInput{
		Message:           form.Get(prefix + "Message"),
		Subject:           form.Get(prefix + "Subject"),
		MessageStructure:  form.Get(prefix + "MessageStructure"),
		MessageAttributes: map[string]topic.MessageAttributeValue{},
	}
	list := prefix + "MessageAttributes.entry."
	for _, n := range snsIndexes(form, list) {
		entry := list + strconv.Itoa(n) + "."
		name := form.Get(entry + "Name")
		a, err := snsAttribute(form, entry+"Value.", name)
		if err != nil {
			return topic.PublishInput{}, err
		}
		if _, twice := in.MessageAttributes[name]; twice {
			return topic.PublishInput{}, snsBadAttribute("The message attribute '%s' is given twice.", name)
		}
		in.MessageAttributes[name] = a
	}
	return in, nil
}

// snsAttribute reads one value. That its type has such values is the topic's to say.
func snsAttribute(form url.Values, prefix, name string) (topic.MessageAttributeValue, error) {
	a := topic.MessageAttributeValue{DataType: form.Get(prefix + "DataType")}
	if form.Has(prefix + "StringValue") {
		s := form.Get(prefix + "StringValue")
		a.StringValue = &s
	}
	if form.Has(prefix + "BinaryValue") {
		var err error
		if a.BinaryValue, err = base64.StdEncoding.DecodeString(form.Get(prefix + "BinaryValue")); err != nil {
			return a, snsBadAttribute("The message attribute '%s' is not valid base64.", name)
		}
	}
	return a, nil
}

func snsBadAttribute(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "ParameterValueInvalid", format, args...)
}

// snsIndexes returns the numbers N of the parameters PREFIXN or PREFIXN.…, in order.
func snsIndexes(form url.Values, prefix string) []int {
	seen := map[int]bool{}
	for key := range form {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		number, _, _ := strings.Cut(rest, ".")
		if n, err := strconv.Atoi(number); err == nil && n > 0 {
			seen[n] = true
		}
	}
	var list []int
	for n := range seen {
		list = append(list, n)
	}
	sort.Ints(list)
	return list
}

// snsAnswer is an error as SNS words it.
type snsAnswer struct {
	status        int
	code, message string
}

// snsKinds are the codes and statuses for errors that name no code themselves.
var snsKinds = map[fault.Kind]snsAnswer{
	fault.Internal:        {http.StatusInternalServerError, "InternalError", ""},
	fault.Invalid:         {http.StatusBadRequest, "InvalidParameter", ""},
	fault.NotFound:        {http.StatusNotFound, "NotFound", ""},
	fault.Conflict:        {http.StatusConflict, "ConcurrentAccess", ""},
	fault.Unauthenticated: {http.StatusForbidden, "InvalidClientTokenId", ""},
	fault.Denied:          {http.StatusForbidden, "AuthorizationError", ""},
	fault.Throttled:       {http.StatusTooManyRequests, "Throttled", ""},
	fault.TooLarge:        {http.StatusRequestEntityTooLarge, "InvalidParameter", ""},
	fault.Unavailable:     {http.StatusServiceUnavailable, "ServiceUnavailable", ""},
}

// snsFault is what a caller sees of an error: of ours only that it happened.
func snsFault(err error) snsAnswer {
	a := snsKinds[fault.KindOf(err)]
	if code := fault.CodeOf(err); code != "" {
		a.code = code
	}
	switch a.status {
	case http.StatusInternalServerError:
		a.message = "The request could not be completed; the log has the reason under its request id."
	case http.StatusServiceUnavailable:
		a.message = "The message could not be stored; try again."
	default:
		a.message = err.Error()
		if f, ok := errors.AsType[*fault.Error](err); ok {
			a.message = f.Error() // without what was wrapped around it on the way
		}
	}
	return a
}

func (s *SNS) fail(w http.ResponseWriter, action, requestID string, err error) {
	a := snsFault(err)
	who := "Sender"
	if a.status >= http.StatusInternalServerError {
		who = "Receiver"
		s.Log.Error("call failed", "service", "sns", "action", action, "request", requestID, "err", err)
	}
	snsWrite(w, a.status, requestID, snsErrorResponse{
		Namespace: snsNamespace, Type: who, Code: a.code, Message: a.message, RequestID: requestID,
	})
}

func snsWrite(w http.ResponseWriter, status int, requestID string, body any) {
	data, err := xml.Marshal(body)
	if err != nil { // our own types: a fault of the program
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("X-Amzn-Requestid", requestID)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	_, _ = w.Write(data)
}
