package logs

import (
	"context"
	"encoding/base64"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

var validGroup = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]{1,512}$`)

// KeptDays is how long records are kept at most, unless a store says otherwise.
const KeptDays = 30

// Retentions are the numbers of days that CloudWatch has.
var Retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func invalid(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "InvalidParameterException", format, args...)
}

func noGroup() error {
	return fault.Coded(fault.NotFound, "ResourceNotFoundException", "The specified log group does not exist.")
}

func noStream() error {
	return fault.Coded(fault.NotFound, "ResourceNotFoundException", "The specified log stream does not exist.")
}

// None is the output of what answers nothing.
type None struct{}

// ARN is the name of a log group as a resource; everything in it is ARN:*.
func ARN(region, group string) string {
	return arn.ARN{Partition: "aws", Service: "logs", Region: region, Account: arn.Account, Resource: "log-group:" + group}.String()
}

// GroupOf is the log group that an ARN or a name names.
func GroupOf(s string) string {
	a, err := arn.Parse(s)
	if err != nil {
		return s
	}
	name, _ := strings.CutPrefix(a.Resource, "log-group:")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// CreateLogGroupInput names a new group.
type CreateLogGroupInput struct {
	LogGroupName              string            `json:"logGroupName"`
	KmsKeyID                  string            `json:"kmsKeyId,omitempty"`
	Tags                      map[string]string `json:"tags,omitempty"`
	LogGroupClass             string            `json:"logGroupClass,omitempty"`
	DeletionProtectionEnabled bool              `json:"deletionProtectionEnabled,omitempty"`
}

// CreateLogGroup makes a group. One that a function writes to needs not be made.
func (s *Store) CreateLogGroup(ctx context.Context, in CreateLogGroupInput) (None, error) {
	switch {
	case !validGroup.MatchString(in.LogGroupName):
		return None{}, invalid("Value '%s' at 'logGroupName' failed to satisfy constraint: 1-512 letters, digits and . - _ / #.", in.LogGroupName)
	case in.KmsKeyID != "":
		return None{}, invalid("kmsKeyId: log groups with a key of their own are not available here.")
	case !slices.Contains([]string{"", "STANDARD", "INFREQUENT_ACCESS"}, in.LogGroupClass):
		return None{}, invalid("Value '%s' at 'logGroupClass' is not available here: use STANDARD or INFREQUENT_ACCESS, which are the same.", in.LogGroupClass)
	}
	if err := checkTags(in.Tags, len(in.Tags)); err != nil {
		return None{}, err
	}
	x := &s.index
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.known[in.LogGroupName] != nil {
		return None{}, fault.Coded(fault.Conflict, "ResourceAlreadyExistsException", "The specified log group already exists")
	}
	g := &group{
		Name: in.LogGroupName, Created: time.Now().UnixMilli(), Class: in.LogGroupClass, Protected: in.DeletionProtectionEnabled,
		Tags: in.Tags, streams: map[string]*stream{},
	}
	if err := x.save(ctx, g); err != nil {
		return None{}, err
	}
	x.known[g.Name] = g
	return None{}, nil
}

// LogGroupNameInput names a group.
type LogGroupNameInput struct {
	LogGroupName string `json:"logGroupName"`
}

// DeleteLogGroup removes a group and all that is in it.
func (s *Store) DeleteLogGroup(ctx context.Context, in LogGroupNameInput) (None, error) {
	if err := s.settled(ctx); err != nil {
		return None{}, err
	}
	x := &s.index
	x.mu.Lock()
	defer x.mu.Unlock()
	g := x.known[in.LogGroupName]
	switch {
	case g == nil:
		return None{}, noGroup()
	case g.Protected:
		return None{}, fault.Coded(fault.Invalid, "ValidationException", "The log group is protected from deletion.")
	}
	if err := s.archive.drop(g.Name); err != nil {
		return None{}, err
	}
	keys, err := x.streams.ListKeysFiltered(ctx, key(g.Name)+".>")
	if err != nil {
		return None{}, err
	}
	for k := range keys.Keys() {
		if err := x.streams.Purge(ctx, k); err != nil {
			return None{}, err
		}
	}
	if err := x.groups.Purge(ctx, key(g.Name)); err != nil { // last: until then it can be deleted again
		return None{}, err
	}
	delete(x.known, g.Name)
	return None{}, nil
}

// PutRetentionPolicyInput says for how many days a group's records are kept.
type PutRetentionPolicyInput struct {
	LogGroupName    string `json:"logGroupName"`
	RetentionInDays int    `json:"retentionInDays"`
}

// PutRetentionPolicy sets a group's retention. Records are never kept for longer
// than those of all groups.
func (s *Store) PutRetentionPolicy(ctx context.Context, in PutRetentionPolicyInput) (None, error) {
	if !slices.Contains(Retentions, in.RetentionInDays) {
		return None{}, invalid("Value '%d' at 'retentionInDays' is none of %v.", in.RetentionInDays, Retentions)
	}
	return None{}, s.changeGroup(ctx, in.LogGroupName, func(g *group) error {
		g.Retention = in.RetentionInDays
		return nil
	})
}

// DeleteRetentionPolicy has a group's records kept for as long as all.
func (s *Store) DeleteRetentionPolicy(ctx context.Context, in LogGroupNameInput) (None, error) {
	return None{}, s.changeGroup(ctx, in.LogGroupName, func(g *group) error {
		g.Retention = 0
		return nil
	})
}

// changeGroup stores a change; on an error nothing has changed.
func (s *Store) changeGroup(ctx context.Context, name string, change func(g *group) error) error {
	x := &s.index
	x.mu.Lock()
	defer x.mu.Unlock()
	g := x.known[name]
	if g == nil {
		return noGroup()
	}
	next := *g
	next.Tags, next.Hidden = maps.Clone(g.Tags), maps.Clone(g.Hidden)
	if err := change(&next); err != nil {
		return err
	}
	if err := x.save(ctx, &next); err != nil {
		return err
	}
	*g = next
	return nil
}

// DescribeLogGroupsInput selects groups.
type DescribeLogGroupsInput struct {
	LogGroupNamePrefix    string   `json:"logGroupNamePrefix,omitempty"`
	LogGroupNamePattern   string   `json:"logGroupNamePattern,omitempty"` // a part of the name, in any case
	LogGroupClass         string   `json:"logGroupClass,omitempty"`
	LogGroupIdentifiers   []string `json:"logGroupIdentifiers,omitempty"`
	AccountIdentifiers    []string `json:"accountIdentifiers,omitempty"`
	IncludeLinkedAccounts bool     `json:"includeLinkedAccounts,omitempty"`
	NextToken             string   `json:"nextToken,omitempty"`
	Limit                 int      `json:"limit,omitempty"`
}

// LogGroup describes a group.
type LogGroup struct {
	LogGroupName              string `json:"logGroupName"`
	CreationTime              int64  `json:"creationTime"`
	RetentionInDays           int    `json:"retentionInDays,omitempty"`
	MetricFilterCount         int    `json:"metricFilterCount"`
	ARN                       string `json:"arn"`
	LogGroupARN               string `json:"logGroupArn"`
	StoredBytes               int64  `json:"storedBytes"`
	LogGroupClass             string `json:"logGroupClass"`
	DeletionProtectionEnabled bool   `json:"deletionProtectionEnabled"`
}

// DescribeLogGroupsOutput is one page, by name.
type DescribeLogGroupsOutput struct {
	LogGroups []LogGroup `json:"logGroups"`
	NextToken string     `json:"nextToken,omitempty"`
}

// DescribeLogGroups lists groups. StoredBytes is what came to the streams that are
// known, uncompressed.
func (s *Store) DescribeLogGroups(ctx context.Context, in DescribeLogGroupsInput) (DescribeLogGroupsOutput, error) {
	out := DescribeLogGroupsOutput{LogGroups: []LogGroup{}}
	if in.LogGroupNamePrefix != "" && in.LogGroupNamePattern != "" {
		return out, invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	if err := s.Flush(ctx); err != nil {
		return out, err
	}
	x := &s.index
	x.mu.Lock()
	defer x.mu.Unlock()
	names := slices.Sorted(func(yield func(string) bool) {
		for name, g := range x.known {
			if in.wants(g) && !yield(name) {
				return
			}
		}
	})
	names, next, err := page(names, in.NextToken, in.Limit)
	if err != nil {
		return out, err
	}
	for _, name := range names {
		out.LogGroups = append(out.LogGroups, x.known[name].describe(s.Region))
	}
	out.NextToken = next
	return out, nil
}

func (in DescribeLogGroupsInput) wants(g *group) bool {
	named := len(in.LogGroupIdentifiers) == 0
	for _, id := range in.LogGroupIdentifiers {
		named = named || GroupOf(id) == g.Name
	}
	return named && strings.HasPrefix(g.Name, in.LogGroupNamePrefix) &&
		strings.Contains(strings.ToLower(g.Name), strings.ToLower(in.LogGroupNamePattern)) &&
		(in.LogGroupClass == "" || in.LogGroupClass == g.class())
}

func (g *group) class() string {
	if g.Class == "" {
		return "STANDARD"
	}
	return g.Class
}

func (g *group) describe(region string) LogGroup {
	d := LogGroup{
		LogGroupName: g.Name, CreationTime: g.Created, RetentionInDays: g.Retention, LogGroupClass: g.class(),
		LogGroupARN: ARN(region, g.Name), ARN: ARN(region, g.Name) + ":*", DeletionProtectionEnabled: g.Protected,
	}
	for _, st := range g.streams {
		d.StoredBytes += st.Bytes
	}
	return d
}

// page cuts one out of a sorted list. The token is the last name of the page
// before.
func page(names []string, token string, limit int) (_ []string, next string, err error) {
	if limit < 0 || limit > 50 {
		return nil, "", invalid("Value '%d' at 'limit' is not between 1 and 50.", limit)
	}
	if limit == 0 {
		limit = 50
	}
	if token != "" {
		after, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			return nil, "", invalid("The specified nextToken is invalid.")
		}
		at, found := slices.BinarySearch(names, string(after))
		if found {
			at++
		}
		names = names[at:]
	}
	if len(names) > limit {
		names = names[:limit]
		next = base64.RawURLEncoding.EncodeToString([]byte(names[limit-1]))
	}
	return names, next, nil
}
