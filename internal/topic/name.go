package topic

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

// topicName is what AWS allows for a standard topic.
var topicName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

// CheckName says what is wrong with the name of a topic, fault.Invalid.
func CheckName(name string) error {
	if strings.HasSuffix(name, ".fifo") {
		return fault.Coded(fault.Invalid, "InvalidParameter", "topic %q: FIFO topics are not supported; use a name without .fifo", name)
	}
	if !topicName.MatchString(name) {
		return fault.Coded(fault.Invalid, "InvalidParameter", "topic %q: a name has 1 to 256 letters, digits, - and _", name)
	}
	return nil
}

// SubscriptionARN names the subscription of a function to a topic, always the same.
func SubscriptionARN(topicARN, function string) string {
	return topicARN + ":" + uuid("subscription", topicARN, function)
}

// region keeps what becomes part of a stream's name safe.
var region = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// nameOf returns the name in a topic's ARN, or fault.Invalid.
func nameOf(topicARN string) (string, error) {
	a, err := arn.Parse(topicARN)
	if err != nil || a.Service != "sns" || !region.MatchString(a.Region) {
		return "", fault.Coded(fault.Invalid, "InvalidParameter", "%q is not the ARN of a topic, such as %s", topicARN, arn.Topic(arn.Region, "NAME"))
	}
	return a.Resource, CheckName(a.Resource)
}

// maxShown keeps the names of streams below the engine's 255 characters.
const maxShown = 200

// streamName is the stream of a topic whose ARN nameOf accepts. People should be
// able to read it; the rare ARN that would make it long or ambiguous is hashed,
// behind another prefix.
func streamName(topicARN string) string {
	a, err := arn.Parse(topicARN)
	if err != nil || arn.Topic(a.Region, a.Resource) != topicARN || len(a.Resource) > maxShown {
		return "topic-" + hash("stream", topicARN)
	}
	return "topic_" + a.Region + "_" + a.Resource
}

// allSubjects covers the subjects of all topics.
const allSubjects = "topic.*"

func subjectName(topicARN string) string { return "topic." + streamName(topicARN) }

func consumerName(subscriptionARN string) string { return hash("consumer", subscriptionARN) }

// hash is 128 bits of SHA-256 over parts that contain no zero byte, in hex.
func hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// uuid is a UUID made of the hash of its parts: version 8, RFC 9562.
func uuid(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return format(sum[:16], 0x80)
}

// newMessageID is a random UUID: version 4.
func newMessageID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return format(b, 0x40)
}

func format(b []byte, version byte) string {
	b[6] = b[6]&0x0f | version
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
