package topic

import (
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dropstack/dropstack/internal/fault"
)

// Limits of one message, as AWS documents them.
const (
	MaxMessage = 262_144 // bytes of message and attributes; of a whole batch too
	MaxSubject = 100     // characters
)

// invalid is a refusal with the code that SNS uses for nearly all of them.
func invalid(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "InvalidParameter", format, args...)
}

// badAttribute is what SNS answers about attributes.
func badAttribute(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "ParameterValueInvalid", format, args...)
}

// check refuses what SNS refuses, in its words where they are known.
func check(message, subject string, attributes map[string]Attribute) error {
	if message == "" {
		return invalid("Invalid parameter: Empty message")
	}
	if !utf8.ValidString(message) {
		return invalid("Invalid parameter: Message Reason: not valid UTF-8")
	}
	if n := size(message, attributes); n > MaxMessage {
		return invalid("Invalid parameter: Message too long: %d bytes with its attributes, at most %d", n, MaxMessage)
	}
	if err := checkSubject(subject); err != nil {
		return err
	}
	for name, a := range attributes {
		if err := checkAttribute(name, a); err != nil {
			return err
		}
	}
	return nil
}

func size(message string, attributes map[string]Attribute) int {
	n := len(message)
	for name, a := range attributes {
		n += len(name) + len(a.Type)
		if kind(a.Type) == "Binary" {
			n += base64.RawStdEncoding.DecodedLen(len(strings.TrimRight(a.Value, "=")))
			continue
		}
		n += len(a.Value)
	}
	return n
}

func checkSubject(s string) error {
	if s == "" {
		return nil
	}
	if !utf8.ValidString(s) {
		return invalid("Invalid parameter: Subject Reason: not valid UTF-8")
	}
	if n := utf8.RuneCountInString(s); n > MaxSubject {
		return invalid("Invalid parameter: Subject Reason: %d characters, at most %d", n, MaxSubject)
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return invalid("Invalid parameter: Subject Reason: line breaks and control characters are not allowed")
	}
	return nil
}

var (
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	attributeType = regexp.MustCompile(`^(String|Number|Binary)(\.[A-Za-z0-9_.-]+)?$`)
)

// kind is the part of an attribute's type that decides its value: String, Number
// or Binary. What follows the dot is the sender's own, or String.Array.
func kind(typ string) string {
	k, _, _ := strings.Cut(typ, ".")
	return k
}

func checkAttribute(name string, a Attribute) error {
	if len(name) > 256 {
		return badAttribute("Length of message attribute name must be less than 256 bytes.")
	}
	lower := strings.ToLower(name)
	if !attributeName.MatchString(name) || strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon.") {
		return badAttribute("Invalid message attribute name %q: letters, digits, _, - and single dots between them, not beginning with AWS. or Amazon.", name)
	}
	if !attributeType.MatchString(a.Type) || len(a.Type) > 256 {
		return badAttribute("The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
	}
	if a.Value == "" {
		return badAttribute("The message attribute '%s' must contain non-empty message attribute value for message attribute type '%s'.", name, a.Type)
	}
	switch kind(a.Type) {
	case "Number":
		if _, err := strconv.ParseFloat(a.Value, 64); err != nil || !decimal(a.Value) {
			return badAttribute("Could not cast message attribute '%s' value to number.", name)
		}
	case "Binary":
		if _, err := base64.StdEncoding.DecodeString(a.Value); err != nil {
			return badAttribute("The message attribute '%s' is not valid base64.", name)
		}
	default:
		if !utf8.ValidString(a.Value) {
			return badAttribute("The message attribute '%s' is not valid UTF-8.", name)
		}
	}
	return nil
}

// decimal says no to what ParseFloat takes besides decimal numbers: Inf, NaN, hex
// and underscores.
func decimal(s string) bool {
	return strings.Trim(s, "0123456789+-.eE") == ""
}
