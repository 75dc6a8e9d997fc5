package topic

import (
	"testing"
	"time"
)

func TestDelays(t *testing.T) {
	for name, c := range map[string]struct {
		policy string
		want   []time.Duration // before each retry, in seconds
	}{
		"SNS's own":   {``, []time.Duration{20, 20, 20}},
		"all phases":  {`{"healthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":9,"numRetries":7,"numNoDelayRetries":1,"numMinDelayRetries":2,"numMaxDelayRetries":1,"backoffFunction":"linear"}}`, []time.Duration{0, 1, 1, 1, 5, 9, 9}},
		"arithmetic":  {`{"healthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":17,"numRetries":5,"backoffFunction":"arithmetic"}}`, []time.Duration{1, 2, 5, 10, 17}},
		"exponential": {`{"healthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":16,"numRetries":5,"backoffFunction":"exponential"}}`, []time.Duration{1, 2, 4, 8, 16}},
		"geometric":   {`{"healthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":28,"numRetries":4,"backoffFunction":"geometric"}}`, []time.Duration{1, 2, 9, 28}},
		"no retries":  {`{"healthyRetryPolicy":{"numRetries":0}}`, nil},
		"of old":      {`{"healthyRetryPolicy":{"numRetries":1},"sicklyRetryPolicy":null,"guaranteed":false}`, []time.Duration{20}},
		"only a pace": {`{"throttlePolicy":{"maxReceivesPerSecond":5}}`, []time.Duration{20, 20, 20}},
	} {
		p, err := parseDelivery(c.policy, defaultPlan)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.NumRetries != len(c.want) {
			t.Errorf("%s: %d retries, want %d", name, p.NumRetries, len(c.want))
		}
		for n, want := range c.want {
			if got := p.delay(n); got != want*time.Second {
				t.Errorf("%s: retry %d after %v, want %v", name, n, got, want*time.Second)
			}
		}
	}
	if got := mailPlan.delay(0); got != 10*time.Second {
		t.Errorf("first retry of an e-mail after %v, want 10 s", got)
	}
}

func TestPlansThatAreRefused(t *testing.T) {
	for name, policy := range map[string]string{
		"not JSON":            `{`,
		"an unknown name":     `{"retry":{}}`,
		"no such function":    `{"healthyRetryPolicy":{"backoffFunction":"random"}}`,
		"too many":            `{"healthyRetryPolicy":{"numRetries":101}}`,
		"more than all":       `{"healthyRetryPolicy":{"numRetries":2,"numMinDelayRetries":3}}`,
		"less than none":      `{"healthyRetryPolicy":{"numNoDelayRetries":-1}}`,
		"the wrong way":       `{"healthyRetryPolicy":{"minDelayTarget":5,"maxDelayTarget":1}}`,
		"too long":            `{"healthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":3601}}`,
		"too long in all":     `{"healthyRetryPolicy":{"minDelayTarget":61,"maxDelayTarget":61,"numRetries":60}}`,
		"no pace":             `{"throttlePolicy":{"maxReceivesPerSecond":0}}`,
		"no such type":        `{"requestPolicy":{"headerContentType":"image/png"}}`,
		"a type and a header": "{\"requestPolicy\":{\"headerContentType\":\"text/plain;\\r\\nX: y\"}}",
		"two objects":         `{}{}`,
	} {
		if _, err := parseDelivery(policy, defaultPlan); err == nil {
			t.Errorf("%s: %s is accepted", name, policy)
		}
	}
}

func TestATopicMayForbidPlansOfSubscriptions(t *testing.T) {
	topic := &Topic{DeliveryPolicy: `{"http":{"defaultHealthyRetryPolicy":{"numRetries":7},"disableSubscriptionOverrides":true}}`}
	sub := Subscription{Protocol: ProtocolHTTP, DeliveryPolicy: `{"healthyRetryPolicy":{"numRetries":1}}`}
	if got := planFor(topic, sub).NumRetries; got != 7 {
		t.Errorf("%d retries, want the topic's 7", got)
	}
	topic.DeliveryPolicy = `{"http":{"defaultHealthyRetryPolicy":{"numRetries":7}}}`
	if got := planFor(topic, sub).NumRetries; got != 1 {
		t.Errorf("%d retries, want the subscription's 1", got)
	}
}
