package secret

import (
	"context"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dropstack/dropstack/internal/fault"
)

// The tiers of a parameter.
const (
	standard    = "Standard"
	advanced    = "Advanced"
	intelligent = "Intelligent-Tiering"
)

// PutParameterInput is a parameter, or a new version of one.
type PutParameterInput struct {
	Name           string
	Value          string `audit:"hidden"`
	Type           string `json:",omitempty"` // String, StringList, SecureString; needed for a new one
	Description    string `json:",omitempty"`
	KeyId          string `json:",omitempty"` // of a SecureString
	Overwrite      bool   `json:",omitempty"`
	AllowedPattern string `json:",omitempty"` // that the whole value matches
	Tags           []Tag  `json:",omitempty"`
	Tier           string `json:",omitempty"` // Standard, Advanced, Intelligent-Tiering
	Policies       string `json:",omitempty"` // JSON
	DataType       string `json:",omitempty"` // text
}

// PutParameterOutput is what came of it.
type PutParameterOutput struct {
	Version int64
	Tier    string
}

// PutParameter makes a parameter, or with Overwrite a new version of one. What a
// new version does not say stays as it was.
func (p *Parameters) PutParameter(ctx context.Context, in PutParameterInput) (PutParameterOutput, error) {
	in.Name = strings.Trim(in.Name, " ")
	if err := p.checkName(in.Name); err != nil {
		return PutParameterOutput{}, err
	}
	if err := in.check(); err != nil {
		return PutParameterOutput{}, err
	}
	put, err := p.change(ctx, in.Name, func(r *record) error { return p.put(ctx, r, in) })
	if err != nil {
		return PutParameterOutput{}, err
	}
	return PutParameterOutput{put.last().Number, put.last().Tier}, nil
}

var nested = regexp.MustCompile(`\{\{.*\}\}`)

// check says what is wrong with a request, whatever is stored.
func (in PutParameterInput) check() error {
	switch {
	case in.Value == "":
		return invalid("Value is required")
	case !utf8.ValidString(in.Value):
		return invalid("Value is not text in UTF-8")
	case nested.MatchString(in.Value):
		return invalid("Value cannot hold another parameter: {{ and }} are reserved")
	case in.Type != "" && in.Type != plain && in.Type != list && in.Type != secure:
		return invalid("Type %q is none of %s, %s and %s", in.Type, plain, list, secure)
	case in.Tier != "" && in.Tier != standard && in.Tier != advanced && in.Tier != intelligent:
		return invalid("Tier %q is none of %s, %s and %s", in.Tier, standard, advanced, intelligent)
	case in.DataType != "" && in.DataType != "text":
		return invalid("DataType %q is not supported: there are no machine images or integrations to check a value against; leave it out or say text", in.DataType)
	case utf8.RuneCountInString(in.Description) > maxDescription:
		return invalid("Description has more than %d characters", maxDescription)
	case len(in.Tags) > 0 && in.Overwrite:
		return invalid("Tags and Overwrite cannot go together; change the tags of a parameter with AddTagsToResource and RemoveTagsFromResource")
	}
	return nil
}

// put makes the next version of a parameter, which has no versions if it is new.
func (p *Parameters) put(ctx context.Context, r *record, in PutParameterInput) error {
	var old version
	if len(r.Versions) > 0 {
		if !in.Overwrite {
			return fault.Coded(fault.Conflict, "ParameterAlreadyExists", "parameter %s exists; set Overwrite to give it a new version", in.Name)
		}
		old = *r.last()
	}
	next := version{
		Number: old.Number + 1, Type: in.Type, DataType: "text", Modified: time.Now().UTC().Truncate(time.Millisecond), User: p.caller(ctx),
		KeyID: or(in.KeyId, old.KeyID), Description: or(in.Description, old.Description), AllowedPattern: or(in.AllowedPattern, old.AllowedPattern),
	}
	if err := next.typed(old, in); err != nil {
		return err
	}
	if err := r.policed(in.Policies); err != nil {
		return err
	}
	next.Policies = r.Policies
	var err error
	if next.Tier, err = p.tier(old.Tier, in, r.Policies != ""); err != nil {
		return err
	}
	if err := match(next.AllowedPattern, in.Value); err != nil {
		return err
	}
	if r.Tags, err = addTags(r.Tags, in.Tags); err != nil {
		return err
	}
	if err := r.room(); err != nil {
		return err
	}
	if err := p.encrypt(ctx, &next, r.Name, in.Value); err != nil {
		return err
	}
	r.Versions = append(r.Versions, next)
	return nil
}

func or(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// typed gives a version its type and key.
func (v *version) typed(old version, in PutParameterInput) error {
	switch {
	case in.Type == "" && old.Type == "":
		return invalid("Type is required for a new parameter: %s, %s or %s", plain, list, secure)
	case in.Type == "":
		v.Type = old.Type
	case old.Type != "" && old.Type != in.Type:
		return fault.Coded(fault.Invalid, "HierarchyTypeMismatchException", "parameter %s is a %s and cannot become a %s; delete it first", in.Name, old.Type, in.Type)
	}
	if v.Type != secure && in.KeyId != "" {
		return invalid("KeyId is for parameters of type %s only", secure)
	}
	if v.Type == secure {
		v.KeyID = or(v.KeyID, usualKey)
	}
	return nil
}

// tier chooses the tier of a version: the one asked for, or with
// Intelligent-Tiering the least that holds it.
func (p *Parameters) tier(old string, in PutParameterInput, policies bool) (string, error) {
	size := len(in.Value)
	ofStandard, ofAdvanced := p.index.counts()
	full := old == "" && ofStandard >= maxStandardCount
	tier := or(or(in.Tier, old), standard)
	switch {
	case size > maxAdvanced:
		return "", invalid("Value has %d bytes; at most %d are possible, in the %s tier", size, maxAdvanced, advanced)
	case tier == intelligent && (old == advanced || size > maxStandard || policies || full):
		tier = advanced
	case tier == intelligent:
		tier = standard
	case tier == standard && old == advanced:
		return "", invalid("parameter %s is in the %s tier and cannot go back to %s: its value might not fit; delete it first", in.Name, advanced, standard)
	case tier == standard && size > maxStandard:
		return "", invalid("Value has %d bytes; the %s tier holds %d, the %s tier %d", size, standard, maxStandard, advanced, maxAdvanced)
	case tier == standard && policies:
		return "", invalid("Policies are for parameters in the %s tier", advanced)
	}
	if tier == standard && full || tier == advanced && old != advanced && ofAdvanced >= maxAdvancedCount {
		return "", fault.Coded(fault.TooLarge, "ParameterLimitExceeded", "there are %d %s and %d %s parameters; at most %d and %d are possible", ofStandard, standard, ofAdvanced, advanced, maxStandardCount, maxAdvancedCount)
	}
	return tier, nil
}

// match checks a value against the pattern of its parameter.
func match(pattern, value string) error {
	if pattern == "" {
		return nil
	}
	if len(pattern) > maxPattern {
		return invalid("AllowedPattern has %d characters; at most %d are possible", len(pattern), maxPattern)
	}
	expr, err := regexp.Compile(`^(?:` + pattern + `)$`)
	if err != nil {
		return fault.Coded(fault.Invalid, "InvalidAllowedPatternException", "AllowedPattern %q cannot be used; references back and looking around are not possible: %w", pattern, err)
	}
	if !expr.MatchString(value) {
		return fault.Coded(fault.Invalid, "ParameterPatternMismatchException", "the value does not match the parameter's pattern %s", pattern)
	}
	return nil
}

// room makes room for one version more by dropping the oldest.
func (r *record) room() error {
	if len(r.Versions) < maxVersions {
		return nil
	}
	if oldest := r.Versions[0]; len(oldest.Labels) > 0 {
		return fault.Coded(fault.TooLarge, "ParameterMaxVersionLimitExceeded", "parameter %s has %d versions, which is the most, and the oldest, %d, cannot be dropped: it has the labels %v; move them first", r.Name, len(r.Versions), oldest.Number, oldest.Labels)
	}
	r.Versions = r.Versions[1:]
	return nil
}
