// Package waf decides about requests by web ACLs: ordered rules of statements over
// parts of a request, as AWS WAF (WAFv2) has them.
//
// The shapes are those of WAFv2's API, members under their names there, so that
// templates, calls and files say the same thing.
package waf

// WebACL is a list of rules, the one with the lowest priority first, and what
// becomes of a request that none of them ends.
type WebACL struct {
	Stack                string                        `json:"Stack,omitempty"` // that declares it
	Name                 string                        `json:"Name"`
	ID                   string                        `json:"Id"`
	ARN                  string                        `json:"ARN"`
	Description          string                        `json:"Description,omitempty"`
	DefaultAction        Action                        `json:"DefaultAction"` // Allow or Block
	Rules                []Rule                        `json:"Rules,omitempty"`
	VisibilityConfig     Visibility                    `json:"VisibilityConfig,omitzero"`
	CustomResponseBodies map[string]CustomResponseBody `json:"CustomResponseBodies,omitempty"`
	TokenDomains         []string                      `json:"TokenDomains,omitempty"`
}

// Rule is a statement and what becomes of the requests that it matches.
type Rule struct {
	Name             string     `json:"Name"`
	Priority         int        `json:"Priority"`
	Statement        Statement  `json:"Statement"`
	Action           *Action    `json:"Action,omitempty"`         // of all but groups
	OverrideAction   *Action    `json:"OverrideAction,omitempty"` // of groups: Count or None
	RuleLabels       []Label    `json:"RuleLabels,omitempty"`
	VisibilityConfig Visibility `json:"VisibilityConfig,omitzero"`
}

// Label is what a rule says of a request that it matched, for rules after it.
type Label struct {
	Name string `json:"Name"`
}

// Action is what becomes of a request: one member is set.
type Action struct {
	Allow *AllowAction `json:"Allow,omitempty"`
	Block *BlockAction `json:"Block,omitempty"`
	Count *CountAction `json:"Count,omitempty"` // go on, and remember
	None  *struct{}    `json:"None,omitempty"`  // of OverrideAction: as the group says
}

// AllowAction lets a request through, with headers more.
type AllowAction struct {
	CustomRequestHandling *RequestHandling `json:"CustomRequestHandling,omitempty"`
}

// CountAction goes on to the next rule, with headers more.
type CountAction struct {
	CustomRequestHandling *RequestHandling `json:"CustomRequestHandling,omitempty"`
}

// RequestHandling is headers for the origin, under x-amzn-waf-NAME.
type RequestHandling struct {
	InsertHeaders []Header `json:"InsertHeaders"`
}

// Header is one header.
type Header struct {
	Name  string `json:"Name"`
	Value string `json:"Value"`
}

// BlockAction answers in place of the origin: 403 unless it says otherwise.
type BlockAction struct {
	CustomResponse *CustomResponse `json:"CustomResponse,omitempty"`
}

// CustomResponse is an answer to a blocked request.
type CustomResponse struct {
	ResponseCode          int      `json:"ResponseCode"`
	CustomResponseBodyKey string   `json:"CustomResponseBodyKey,omitempty"`
	ResponseHeaders       []Header `json:"ResponseHeaders,omitempty"`
}

// CustomResponseBody is the text of an answer.
type CustomResponseBody struct {
	ContentType string `json:"ContentType"` // TEXT_PLAIN, TEXT_HTML or APPLICATION_JSON
	Content     string `json:"Content"`
}

// Visibility says what is counted and sampled of an ACL or a rule.
type Visibility struct {
	SampledRequestsEnabled   bool   `json:"SampledRequestsEnabled"`
	CloudWatchMetricsEnabled bool   `json:"CloudWatchMetricsEnabled"`
	MetricName               string `json:"MetricName"`
}

// Statement matches a request or does not: one member is set.
type Statement struct {
	ByteMatchStatement                *ByteMatch     `json:"ByteMatchStatement,omitempty"`
	SqliMatchStatement                *SqliMatch     `json:"SqliMatchStatement,omitempty"`
	XssMatchStatement                 *XSSMatch      `json:"XssMatchStatement,omitempty"`
	SizeConstraintStatement           *Size          `json:"SizeConstraintStatement,omitempty"`
	GeoMatchStatement                 *GeoMatch      `json:"GeoMatchStatement,omitempty"`
	IPSetReferenceStatement           *IPSetRef      `json:"IPSetReferenceStatement,omitempty"`
	RegexMatchStatement               *RegexMatch    `json:"RegexMatchStatement,omitempty"`
	RegexPatternSetReferenceStatement *RegexSetMatch `json:"RegexPatternSetReferenceStatement,omitempty"`
	RateBasedStatement                *RateBased     `json:"RateBasedStatement,omitempty"`
	LabelMatchStatement               *LabelMatch    `json:"LabelMatchStatement,omitempty"`
	AndStatement                      *Several       `json:"AndStatement,omitempty"`
	OrStatement                       *Several       `json:"OrStatement,omitempty"`
	NotStatement                      *Not           `json:"NotStatement,omitempty"`
	ManagedRuleGroupStatement         *ManagedGroup  `json:"ManagedRuleGroupStatement,omitempty"`
}

// Several is AndStatement and OrStatement.
type Several struct {
	Statements []Statement `json:"Statements"`
}

// Not is what its statement is not.
type Not struct {
	Statement *Statement `json:"Statement"`
}

// ByteMatch looks for a text in a field.
type ByteMatch struct {
	SearchString         []byte           `json:"SearchString"`
	FieldToMatch         Field            `json:"FieldToMatch"`
	TextTransformations  []Transformation `json:"TextTransformations"`
	PositionalConstraint string           `json:"PositionalConstraint"` // EXACTLY, STARTS_WITH, ENDS_WITH, CONTAINS, CONTAINS_WORD
}

// SqliMatch looks for SQL injection.
type SqliMatch struct {
	FieldToMatch        Field            `json:"FieldToMatch"`
	TextTransformations []Transformation `json:"TextTransformations"`
	SensitivityLevel    string           `json:"SensitivityLevel,omitempty"` // LOW, which "" means too, or HIGH
}

// XSSMatch looks for cross-site scripting.
type XSSMatch struct {
	FieldToMatch        Field            `json:"FieldToMatch"`
	TextTransformations []Transformation `json:"TextTransformations"`
}

// Size compares the size of a field.
type Size struct {
	FieldToMatch        Field            `json:"FieldToMatch"`
	ComparisonOperator  string           `json:"ComparisonOperator"` // EQ, NE, LE, LT, GE, GT
	Size                int64            `json:"Size"`               // bytes
	TextTransformations []Transformation `json:"TextTransformations"`
}

// GeoMatch matches by the country of the client.
type GeoMatch struct {
	CountryCodes      []string     `json:"CountryCodes"`
	ForwardedIPConfig *ForwardedIP `json:"ForwardedIPConfig,omitempty"`
}

// IPSetRef matches when the client's address is in a set.
type IPSetRef struct {
	ARN                    string         `json:"ARN"`
	IPSetForwardedIPConfig *SetForwardeds `json:"IPSetForwardedIPConfig,omitempty"`
}

// ForwardedIP takes the client's address from a header.
type ForwardedIP struct {
	HeaderName       string `json:"HeaderName"`
	FallbackBehavior string `json:"FallbackBehavior"` // MATCH or NO_MATCH
}

// SetForwardeds takes addresses from a header: FIRST, LAST or ANY of it.
type SetForwardeds struct {
	HeaderName       string `json:"HeaderName"`
	FallbackBehavior string `json:"FallbackBehavior"`
	Position         string `json:"Position"`
}

// RegexMatch looks for one pattern.
type RegexMatch struct {
	RegexString         string           `json:"RegexString"`
	FieldToMatch        Field            `json:"FieldToMatch"`
	TextTransformations []Transformation `json:"TextTransformations"`
}

// RegexSetMatch looks for the patterns of a set.
type RegexSetMatch struct {
	ARN                 string           `json:"ARN"`
	FieldToMatch        Field            `json:"FieldToMatch"`
	TextTransformations []Transformation `json:"TextTransformations"`
}

// RateBased matches the requests of whoever makes more than Limit of them within
// the window.
type RateBased struct {
	Limit               int64           `json:"Limit"`                         // 10 to 2,000,000,000
	EvaluationWindowSec int64           `json:"EvaluationWindowSec,omitempty"` // 60, 120, 300 (also 0) or 600
	AggregateKeyType    string          `json:"AggregateKeyType"`              // IP, FORWARDED_IP, CUSTOM_KEYS or CONSTANT
	ScopeDownStatement  *Statement      `json:"ScopeDownStatement,omitempty"`
	ForwardedIPConfig   *ForwardedIP    `json:"ForwardedIPConfig,omitempty"`
	CustomKeys          []RateCustomKey `json:"CustomKeys,omitempty"`
}

// RateCustomKey is a part of what requests are counted by.
type RateCustomKey struct {
	Header        *RateKeyField `json:"Header,omitempty"`
	Cookie        *RateKeyField `json:"Cookie,omitempty"`
	QueryArgument *RateKeyField `json:"QueryArgument,omitempty"`
	QueryString   *RateKeyField `json:"QueryString,omitempty"`
	HTTPMethod    *struct{}     `json:"HTTPMethod,omitempty"`
	ForwardedIP   *struct{}     `json:"ForwardedIP,omitempty"`
	IP            *struct{}     `json:"IP,omitempty"`
	UriPath       *RateKeyField `json:"UriPath,omitempty"`
}

// RateKeyField is a field that requests are counted by.
type RateKeyField struct {
	Name                string           `json:"Name,omitempty"`
	TextTransformations []Transformation `json:"TextTransformations"`
}

// LabelMatch matches a label that a rule before has given.
type LabelMatch struct {
	Scope string `json:"Scope"` // LABEL or NAMESPACE
	Key   string `json:"Key"`
}

// ManagedGroup is a group of rules that comes with the platform.
type ManagedGroup struct {
	VendorName          string           `json:"VendorName"` // AWS
	Name                string           `json:"Name"`
	Version             string           `json:"Version,omitempty"`
	ExcludedRules       []NamedRule      `json:"ExcludedRules,omitempty"` // that only count
	RuleActionOverrides []ActionOverride `json:"RuleActionOverrides,omitempty"`
	ScopeDownStatement  *Statement       `json:"ScopeDownStatement,omitempty"`
}

// NamedRule is a rule of a group.
type NamedRule struct {
	Name string `json:"Name"`
}

// ActionOverride is another action for a rule of a group.
type ActionOverride struct {
	Name        string `json:"Name"`
	ActionToUse Action `json:"ActionToUse"`
}

// Field is the part of a request that a statement looks at: one member is set.
type Field struct {
	SingleHeader        *NamedField    `json:"SingleHeader,omitempty"`
	SingleQueryArgument *NamedField    `json:"SingleQueryArgument,omitempty"`
	AllQueryArguments   *struct{}      `json:"AllQueryArguments,omitempty"`
	UriPath             *struct{}      `json:"UriPath,omitempty"`
	QueryString         *struct{}      `json:"QueryString,omitempty"`
	Method              *struct{}      `json:"Method,omitempty"`
	Body                *BodyField     `json:"Body,omitempty"`
	JsonBody            *JSONField     `json:"JsonBody,omitempty"`
	Headers             *SeveralFields `json:"Headers,omitempty"`
	Cookies             *SeveralFields `json:"Cookies,omitempty"`
	HeaderOrder         *BodyField     `json:"HeaderOrder,omitempty"`
}

// NamedField is a header or a query argument.
type NamedField struct {
	Name string `json:"Name"`
}

// BodyField is the body as it is.
type BodyField struct {
	OversizeHandling string `json:"OversizeHandling,omitempty"` // CONTINUE (also ""), MATCH, NO_MATCH
}

// JSONField is a body of JSON.
type JSONField struct {
	MatchPattern            JSONPattern `json:"MatchPattern"`
	MatchScope              string      `json:"MatchScope"`                        // ALL, KEY, VALUE
	InvalidFallbackBehavior string      `json:"InvalidFallbackBehavior,omitempty"` // MATCH, NO_MATCH, EVALUATE_AS_STRING
	OversizeHandling        string      `json:"OversizeHandling,omitempty"`
}

// JSONPattern is everything, or what JSON pointers lead to.
type JSONPattern struct {
	All           *struct{} `json:"All,omitempty"`
	IncludedPaths []string  `json:"IncludedPaths,omitempty"`
}

// SeveralFields is some of the headers or cookies.
type SeveralFields struct {
	MatchPattern     FieldPattern `json:"MatchPattern"`
	MatchScope       string       `json:"MatchScope"` // ALL, KEY, VALUE
	OversizeHandling string       `json:"OversizeHandling"`
}

// FieldPattern picks headers or cookies by their names.
type FieldPattern struct {
	All             *struct{} `json:"All,omitempty"`
	IncludedHeaders []string  `json:"IncludedHeaders,omitempty"`
	ExcludedHeaders []string  `json:"ExcludedHeaders,omitempty"`
	IncludedCookies []string  `json:"IncludedCookies,omitempty"`
	ExcludedCookies []string  `json:"ExcludedCookies,omitempty"`
}

// Transformation is what is done to a field before it is looked at, in the order
// of priorities.
type Transformation struct {
	Priority int    `json:"Priority"`
	Type     string `json:"Type"` // NONE, LOWERCASE, URL_DECODE ...
}

// IPSet is a set of addresses.
type IPSet struct {
	Stack            string   `json:"Stack,omitempty"` // that declares it
	Name             string   `json:"Name"`
	ID               string   `json:"Id"`
	ARN              string   `json:"ARN"`
	Description      string   `json:"Description,omitempty"`
	IPAddressVersion string   `json:"IPAddressVersion"` // IPV4 or IPV6
	Addresses        []string `json:"Addresses"`        // CIDRs, 10,000 at most
}

// RegexPatternSet is a set of patterns, ten at most.
type RegexPatternSet struct {
	Stack                 string    `json:"Stack,omitempty"` // that declares it
	Name                  string    `json:"Name"`
	ID                    string    `json:"Id"`
	ARN                   string    `json:"ARN"`
	Description           string    `json:"Description,omitempty"`
	RegularExpressionList []Pattern `json:"RegularExpressionList"`
}

// Pattern is a regular expression.
type Pattern struct {
	RegexString string `json:"RegexString"`
}
