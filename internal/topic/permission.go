package topic

import (
	"context"
	"encoding/json"
	"slices"
)

// AddPermissionInput allows accounts to call actions on a topic.
type AddPermissionInput struct {
	TopicArn     string
	Label        string // the name of the statement
	AWSAccountId []string
	ActionName   []string
}

// RemovePermissionInput names a statement of a topic's policy.
type RemovePermissionInput struct {
	TopicArn string
	Label    string
}

// actions are those that a topic's policy can allow.
var actions = []string{
	"Publish", "Subscribe", "Receive", "ListSubscriptionsByTopic", "GetTopicAttributes", "SetTopicAttributes",
	"AddPermission", "RemovePermission", "DeleteTopic", "GetDataProtectionPolicy", "PutDataProtectionPolicy",
}

// statements is a topic's policy as far as these calls look into it. What they
// do not know they keep.
type statements map[string]json.RawMessage

// list returns the statements with their names.
func (p statements) list() (list []json.RawMessage, names []string, err error) {
	if err := json.Unmarshal(p["Statement"], &list); err != nil { // one alone need not be in an array
		list = []json.RawMessage{p["Statement"]}
	}
	for _, doc := range list {
		var s struct{ Sid string }
		if err := json.Unmarshal(doc, &s); err != nil {
			return nil, nil, invalid("Invalid parameter: Policy Reason: a statement is no object: %v", err)
		}
		names = append(names, s.Sid)
	}
	return list, names, nil
}

func (p statements) with(list []json.RawMessage) (string, error) {
	doc, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	p["Statement"] = doc
	text, err := json.Marshal(p)
	return string(text), err
}

// AddPermission adds a statement to the topic's policy.
func (t *Topics) AddPermission(ctx context.Context, in AddPermissionInput) (struct{}, error) {
	if !entryID.MatchString(in.Label) {
		return struct{}{}, invalid("Invalid parameter: Label Reason: 1 to 80 letters, digits, - and _")
	}
	if len(in.AWSAccountId) == 0 || len(in.ActionName) == 0 {
		return struct{}{}, invalid("Invalid parameter: Reason: AWSAccountId and ActionName must each name at least one")
	}
	allowed := make([]string, len(in.ActionName))
	for i, name := range in.ActionName {
		if !slices.Contains(actions, name) {
			return struct{}{}, invalid("Invalid parameter: Policy statement action out of service scope!")
		}
		allowed[i] = "SNS:" + name
	}
	accounts := make([]string, len(in.AWSAccountId))
	for i, account := range in.AWSAccountId {
		accounts[i] = "arn:aws:iam::" + account + ":root"
	}
	statement, err := json.Marshal(map[string]any{
		"Sid": in.Label, "Effect": "Allow", "Principal": map[string]any{"AWS": accounts}, "Action": allowed, "Resource": in.TopicArn,
	})
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, t.editStatements(ctx, in.TopicArn, func(list []json.RawMessage, names []string) ([]json.RawMessage, error) {
		if slices.Contains(names, in.Label) {
			return nil, invalid("Invalid parameter: Statement already exists")
		}
		return append(list, statement), nil
	})
}

// RemovePermission takes a statement off the topic's policy.
func (t *Topics) RemovePermission(ctx context.Context, in RemovePermissionInput) (struct{}, error) {
	return struct{}{}, t.editStatements(ctx, in.TopicArn, func(list []json.RawMessage, names []string) ([]json.RawMessage, error) {
		i := slices.Index(names, in.Label)
		if i < 0 {
			return nil, invalid("Invalid parameter: Label Reason: the policy has no statement %q", in.Label)
		}
		return slices.Delete(list, i, i+1), nil
	})
}

func (t *Topics) editStatements(ctx context.Context, topicARN string, change func(list []json.RawMessage, names []string) ([]json.RawMessage, error)) error {
	return t.editTopic(ctx, topicARN, func(topic *Topic) error {
		var p statements
		if err := json.Unmarshal([]byte(topic.resourcePolicy()), &p); err != nil {
			return invalid("Invalid parameter: Policy Reason: %v", err)
		}
		list, names, err := p.list()
		if err != nil {
			return err
		}
		if list, err = change(list, names); err != nil {
			return err
		}
		text, err := p.with(list)
		if err != nil {
			return err
		}
		return t.set(topic, attrPolicy, text)
	})
}
