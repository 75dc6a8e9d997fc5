package api

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
)

// Notifications are a bucket's notifications in S3's words. Those that a
// serverless.yml declares are shown too; a configuration that is put replaces the
// ones that were put before, and leaves the declared ones to their deployment.
type Notifications struct {
	Deployer interface {
		Edit(ctx context.Context, stack string, change func(*deploy.Revision) error) (*deploy.Revision, error)
		List() map[string]*deploy.Revision
	}
	Exists func(ctx context.Context, bucket string) error // fault.NotFound when there is no such bucket
}

// notificationConfiguration is S3's NotificationConfiguration. Element names are
// those that the protocol has kept from its first years.
type notificationConfiguration struct {
	XMLName   xml.Name            `xml:"http://s3.amazonaws.com/doc/2006-03-01/ NotificationConfiguration"`
	Functions []notifiedFunction  `xml:"CloudFunctionConfiguration"`
	Topics    []notifiedElsewhere `xml:"TopicConfiguration"`
	Queues    []notifiedElsewhere `xml:"QueueConfiguration"`
	Bridge    *struct{}           `xml:"EventBridgeConfiguration"`
}

type notifiedFunction struct {
	ID       string             `xml:"Id"`
	Function string             `xml:"CloudFunction"`
	Events   []string           `xml:"Event"`
	Filter   *notificationRules `xml:"Filter"`
}

type notifiedElsewhere struct {
	ID string `xml:"Id"`
}

type notificationRules struct {
	Rules []notificationRule `xml:"S3Key>FilterRule"`
}

type notificationRule struct {
	Name  string // prefix or suffix
	Value string
}

// serve answers GET and PUT of BUCKET?notification.
func (n *Notifications) serve(ctx context.Context, w http.ResponseWriter, r *http.Request, name string, body []byte) error {
	if err := n.Exists(ctx, name); err != nil {
		return err
	}
	switch r.Method {
	case http.MethodGet:
		doc, err := xml.Marshal(n.get(name))
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/xml")
		_, err = io.WriteString(w, xml.Header+string(doc))
		return err
	case http.MethodPut:
		var in notificationConfiguration
		if err := xml.Unmarshal(body, &in); err != nil {
			return fault.Coded(fault.Invalid, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema: %v", err)
		}
		return n.put(ctx, name, in)
	}
	return fault.Coded(fault.Invalid, "MethodNotAllowed", "The specified method is not allowed against this resource.")
}

func (n *Notifications) get(name string) notificationConfiguration {
	var out notificationConfiguration
	for _, rev := range n.Deployer.List() {
		for _, one := range rev.Notifications {
			if one.Bucket == name {
				out.Functions = mergeNotified(out.Functions, one)
			}
		}
	}
	return out
}

// mergeNotified adds an event to the configuration that it came from.
func mergeNotified(list []notifiedFunction, one bucket.Notification) []notifiedFunction {
	for i := range list {
		if list[i].ID == one.ID && list[i].Function == one.Function {
			list[i].Events = append(list[i].Events, one.Event)
			return list
		}
	}
	to := notifiedFunction{ID: one.ID, Function: one.Function, Events: []string{one.Event}}
	for _, rule := range []notificationRule{{"prefix", one.Prefix}, {"suffix", one.Suffix}} {
		if rule.Value == "" {
			continue
		}
		if to.Filter == nil {
			to.Filter = &notificationRules{}
		}
		to.Filter.Rules = append(to.Filter.Rules, rule)
	}
	return append(list, to)
}

func (n *Notifications) put(ctx context.Context, name string, in notificationConfiguration) error {
	if len(in.Topics)+len(in.Queues) > 0 || in.Bridge != nil {
		return fault.Coded(fault.Invalid, "NotImplemented", "A bucket's events go to functions here; topics, queues and EventBridge are not available as their targets.")
	}
	var list []bucket.Notification
	seen := map[string]bool{}
	for i, f := range in.Functions {
		if f.ID == "" {
			f.ID = "configuration-" + strconv.Itoa(i+1)
		}
		if seen[f.ID] {
			return fault.Coded(fault.Invalid, "InvalidArgument", "Same ID used for multiple configurations: %s. IDs must be unique.", f.ID)
		}
		seen[f.ID] = true
		found, err := f.notifications(name)
		if err != nil {
			return err
		}
		list = append(list, found...)
	}
	for _, one := range list {
		if !n.deployed(one.Function) {
			return fault.Coded(fault.Invalid, "InvalidArgument", "Unable to validate the following destination configurations: there is no function %s.", one.Function)
		}
	}
	// a client that leaves must not cut it in two
	_, err := n.Deployer.Edit(context.WithoutCancel(ctx), deploy.APIStack, func(r *deploy.Revision) error {
		var next []bucket.Notification
		for _, one := range r.Notifications {
			if one.Bucket != name {
				next = append(next, one)
			}
		}
		for i := range list {
			list[i].Stack = r.Stack
		}
		r.Notifications = append(next, list...)
		return nil
	})
	return err
}

// deployed reports whether a function exists, whatever version the ARN names.
func (n *Notifications) deployed(function string) bool {
	for _, rev := range n.Deployer.List() {
		for _, f := range rev.Functions {
			if function == f.ARN || strings.HasPrefix(function, f.ARN+":") {
				return true
			}
		}
	}
	return false
}

// notifications are one for each event; those of a configuration share its ID.
func (f notifiedFunction) notifications(name string) ([]bucket.Notification, error) {
	if a, err := arn.Parse(f.Function); err != nil || a.Service != "lambda" {
		return nil, fault.Coded(fault.Invalid, "InvalidArgument", "The ARN is not well formed: %q is not a function's.", f.Function)
	}
	if len(f.Events) == 0 {
		return nil, fault.Coded(fault.Invalid, "MalformedXML", "Configuration %s names no event.", f.ID)
	}
	one := bucket.Notification{ID: f.ID, Bucket: name, Function: f.Function}
	if f.Filter != nil {
		for _, rule := range f.Filter.Rules {
			switch strings.ToLower(rule.Name) {
			case "prefix":
				one.Prefix = rule.Value
			case "suffix":
				one.Suffix = rule.Value
			default:
				return nil, fault.Coded(fault.Invalid, "InvalidArgument", "filter rule name must be either prefix or suffix, not %q", rule.Name)
			}
		}
	}
	var list []bucket.Notification
	for _, event := range f.Events {
		one.Event = event
		list = append(list, one)
	}
	return list, nil
}
