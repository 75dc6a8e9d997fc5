package topic_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/topic"
)

func attribute(name, typ, value string) map[string]topic.MessageAttributeValue {
	return map[string]topic.MessageAttributeValue{name: {DataType: typ, StringValue: &value}}
}

func binary(name string, value []byte) map[string]topic.MessageAttributeValue {
	return map[string]topic.MessageAttributeValue{name: {DataType: "Binary", BinaryValue: value}}
}

func TestPublishChecksMessages(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	replace(t, to, "drops", topics(created), nil)
	full := strings.Repeat("m", topic.MaxMessage)
	for name, c := range map[string]struct {
		in   topic.PublishInput
		code string // "" when it is right
		says string
	}{
		"plain":                          {in: topic.PublishInput{Message: "m"}},
		"full size":                      {in: topic.PublishInput{Message: full}},
		"full with attributes":           {in: topic.PublishInput{Message: full[:topic.MaxMessage-10], MessageAttributes: attribute("abc", "String", "d")}},
		"binary counts decoded":          {in: topic.PublishInput{Message: full[:topic.MaxMessage-10], MessageAttributes: binary("ab", []byte{0, 0})}},
		"one byte over":                  {in: topic.PublishInput{Message: full + "m"}, code: "InvalidParameter", says: "Message too long: 262145 bytes"},
		"over with attributes":           {in: topic.PublishInput{Message: full[:topic.MaxMessage-9], MessageAttributes: attribute("abc", "String", "d")}, code: "InvalidParameter", says: "Message too long"},
		"empty":                          {in: topic.PublishInput{}, code: "InvalidParameter", says: "Empty message"},
		"not UTF-8":                      {in: topic.PublishInput{Message: "\xff"}, code: "InvalidParameter", says: "UTF-8"},
		"subject of 100 characters":      {in: topic.PublishInput{Message: "m", Subject: strings.Repeat("ü", 100)}},
		"subject of 101 characters":      {in: topic.PublishInput{Message: "m", Subject: strings.Repeat("s", 101)}, code: "InvalidParameter", says: "101 characters, at most 100"},
		"subject with a line break":      {in: topic.PublishInput{Message: "m", Subject: "a\nb"}, code: "InvalidParameter", says: "line breaks"},
		"subject not UTF-8":              {in: topic.PublishInput{Message: "m", Subject: "\xff"}, code: "InvalidParameter", says: "Subject"},
		"string":                         {in: topic.PublishInput{Message: "m", MessageAttributes: attribute("a.b-c_1", "String", "v")}},
		"string array":                   {in: topic.PublishInput{Message: "m", MessageAttributes: attribute("a", "String.Array", `["v"]`)}},
		"custom type":                    {in: topic.PublishInput{Message: "m", MessageAttributes: attribute("a", "Number.int", "-12.5e3")}},
		"number":                         {in: topic.PublishInput{Message: "m", MessageAttributes: attribute("a", "Number", "12a")}, code: "ParameterValueInvalid", says: "cast"},
		"number Inf":                     {in: topic.PublishInput{Message: "m", MessageAttributes: attribute("a", "Number", "Inf")}, code: "ParameterValueInvalid", says: "cast"},
		"binary in the field of strings": {in: topic.PublishInput{Message: "m", MessageAttributes: attribute("a", "Binary", "AAA=")}, code: "ParameterValueInvalid", says: "must use field 'Binary'"},
		"string in the field of bytes":   {in: topic.PublishInput{Message: "m", MessageAttributes: map[string]topic.MessageAttributeValue{"a": {DataType: "String", BinaryValue: []byte("v")}}}, code: "ParameterValueInvalid", says: "must use field 'String'"},
		"group of a FIFO topic":          {in: topic.PublishInput{Message: "m", MessageGroupId: "g"}, code: "InvalidParameter", says: "FIFO"},
		"telephone":                      {in: topic.PublishInput{Message: "m", PhoneNumber: "+1"}, code: "InvalidParameter", says: "PhoneNumber"},
		"type unknown":                   {in: topic.PublishInput{Message: "m", MessageAttributes: attribute("a", "Text", "v")}, code: "ParameterValueInvalid", says: "supported type prefixes"},
		"type lower case":                {in: topic.PublishInput{Message: "m", MessageAttributes: attribute("a", "string", "v")}, code: "ParameterValueInvalid", says: "supported type prefixes"},
		"value empty":                    {in: topic.PublishInput{Message: "m", MessageAttributes: attribute("a", "String", "")}, code: "ParameterValueInvalid", says: "non-empty"},
		"value not UTF-8":                {in: topic.PublishInput{Message: "m", MessageAttributes: attribute("a", "String", "\xff")}, code: "ParameterValueInvalid", says: "UTF-8"},
		"name empty":                     {in: topic.PublishInput{Message: "m", MessageAttributes: attribute("", "String", "v")}, code: "ParameterValueInvalid", says: "name"},
		"name with dots":                 {in: topic.PublishInput{Message: "m", MessageAttributes: attribute("a..b", "String", "v")}, code: "ParameterValueInvalid", says: "name"},
		"name reserved":                  {in: topic.PublishInput{Message: "m", MessageAttributes: attribute("AWS.x", "String", "v")}, code: "ParameterValueInvalid", says: "name"},
		"name long":                      {in: topic.PublishInput{Message: "m", MessageAttributes: attribute(strings.Repeat("n", 257), "String", "v")}, code: "ParameterValueInvalid", says: "256"},
		"structure":                      {in: topic.PublishInput{Message: `{"default":"m"}`, MessageStructure: "json"}},
		"structure without default":      {in: topic.PublishInput{Message: `{"lambda":"m"}`, MessageStructure: "json"}, code: "InvalidParameter", says: "default"},
		"structure not JSON":             {in: topic.PublishInput{Message: `m`, MessageStructure: "json"}, code: "InvalidParameter", says: "parse"},
		"structure null":                 {in: topic.PublishInput{Message: `null`, MessageStructure: "json"}, code: "InvalidParameter", says: "default"},
		"structure empty":                {in: topic.PublishInput{Message: `{"default":"m","lambda":""}`, MessageStructure: "json"}, code: "InvalidParameter", says: "Empty"},
		"structure unknown":              {in: topic.PublishInput{Message: "m", MessageStructure: "xml"}, code: "InvalidParameter", says: "MessageStructure"},
		"no such topic":                  {in: topic.PublishInput{TopicArn: deleted, Message: "m"}, code: "NotFound", says: "Topic does not exist"},
		"ARN without parts":              {in: topic.PublishInput{TopicArn: "drop-created", Message: "m"}, code: "InvalidParameter", says: "TopicArn"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.in.TopicArn == "" {
				c.in.TopicArn = created
			}
			out, err := to.Publish(t.Context(), c.in)
			if c.code == "" {
				if err != nil || len(out.MessageId) != 36 {
					t.Fatalf("got %q, %v, want a message id", out.MessageId, err)
				}
				return
			}
			if err == nil || fault.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v (%s), want %s with %q", err, fault.CodeOf(err), c.code, c.says)
			}
		})
	}
	if _, err := to.Publish(t.Context(), topic.PublishInput{Message: "m"}); fault.CodeOf(err) != "InvalidParameter" {
		t.Errorf("no topic: got %v, want InvalidParameter", err)
	}
}

func entries(n int, message string) (list []topic.PublishBatchRequestEntry) {
	for i := range n {
		list = append(list, topic.PublishBatchRequestEntry{Id: fmt.Sprint("e", i), Message: message})
	}
	return list
}

func TestBatchRefusals(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	replace(t, to, "drops", topics(created), nil)
	twice := entries(2, "m")
	twice[1].Id = twice[0].Id
	strange := entries(1, "m")
	strange[0].Id = "a b"
	for code, list := range map[string][]topic.PublishBatchRequestEntry{
		"EmptyBatchRequest":            nil,
		"TooManyEntriesInBatchRequest": entries(11, "m"),
		"BatchEntryIdsNotDistinct":     twice,
		"InvalidBatchEntryId":          strange,
		"BatchRequestTooLong":          entries(2, strings.Repeat("m", topic.MaxMessage/2+1)),
	} {
		_, err := to.PublishBatch(t.Context(), topic.PublishBatchInput{TopicArn: created, PublishBatchRequestEntries: list})
		if fault.CodeOf(err) != code || fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v (%s), want %s", err, fault.CodeOf(err), code)
		}
	}
	if _, err := to.PublishBatch(t.Context(), topic.PublishBatchInput{TopicArn: deleted, PublishBatchRequestEntries: entries(1, "m")}); fault.CodeOf(err) != "NotFound" {
		t.Errorf("got %v, want NotFound", err)
	}
}

func TestBatchPublishesTheGoodEntries(t *testing.T) {
	in := newInbox()
	to := newTopics(t, streams(t), serial{handle: in.handle})
	replace(t, to, "drops", topics(created), subs(created, "f1"))
	run(t, to)
	list := entries(10, "m")
	list[3].Message = ""
	out, err := to.PublishBatch(t.Context(), topic.PublishBatchInput{TopicArn: created, PublishBatchRequestEntries: list})
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]bool{}, map[string]bool{}
	for _, r := range out.Successful {
		if r.Id == list[3].Id {
			t.Errorf("the empty entry was published: %+v", r)
		}
		want[r.MessageId] = true
	}
	if len(out.Successful) != 9 || len(out.Failed) != 1 || out.Failed[0].Id != list[3].Id || out.Failed[0].Code != "InvalidParameter" || !out.Failed[0].SenderFault {
		t.Errorf("got %+v, want 9 published and the empty one refused", out)
	}
	for _, inv := range in.wait(t, 9)["f1"] {
		got[sns(t, inv).MessageID] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-published +received:\n%s", diff)
	}
}
