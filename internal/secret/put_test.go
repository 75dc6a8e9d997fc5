package secret_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dropstack/dropstack/internal/secret"
	"github.com/dropstack/dropstack/internal/secret/kms"
	"github.com/dropstack/dropstack/internal/secret/kms/kmstest"
)

func TestParametersAreReadByNameVersionLabelAndARN(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.put(t, secret.PutParameterInput{Name: "/app/db", Value: fmt.Sprint("v", i+1), Overwrite: i > 0})
	}
	w.put(t, secret.PutParameterInput{Name: "flat", Value: "f"})
	must[secret.LabelParameterVersionOutput](t)(w.LabelParameterVersion(w.ctx, secret.LabelParameterVersionInput{Name: "/app/db", ParameterVersion: ptr(int64(2)), Labels: []string{"prod"}}))
	for _, c := range []struct{ name, value, selector string }{
		{"/app/db", "v3", ""},
		{"/app/db:1", "v1", ":1"},
		{"/app/db:3", "v3", ":3"},
		{"/app/db:prod", "v2", ":prod"},
		{" /app/db ", "v3", ""},
		{" " + prefix + "app/db", "v3", ""},
		{prefix + "app/db", "v3", ""},
		{prefix + "app/db:1", "v1", ":1"},
		{prefix + "app/db:prod", "v2", ":prod"},
		{"flat", "f", ""},
		{prefix + "flat", "f", ""},
	} {
		got := must[secret.GetParameterOutput](t)(w.GetParameter(w.ctx, secret.GetParameterInput{Name: c.name})).Parameter
		if got.Value != c.value || got.Selector != c.selector || got.ARN != w.ARN(c.name) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	got := must[secret.GetParameterOutput](t)(w.GetParameter(w.ctx, secret.GetParameterInput{Name: "/app/db"})).Parameter
	want := secret.Parameter{Name: "/app/db", Type: "String", Value: "v3", Version: 3, ARN: prefix + "app/db", DataType: "text"}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(secret.Parameter{}, "LastModifiedDate")); diff != "" || got.LastModifiedDate.IsZero() {
		t.Errorf("%s, modified %v", diff, got.LastModifiedDate)
	}
	if got := code(w.GetParameter(w.ctx, secret.GetParameterInput{Name: "/flat"})); got != "ParameterNotFound" {
		t.Errorf("another name: %s", got)
	}
	several := must[secret.GetParametersOutput](t)(w.GetParameters(w.ctx, secret.GetParametersInput{Names: []string{"/app/db:1", "/none", "flat", "/app/db:9", "a b", "flat"}}))
	if len(several.Parameters) != 2 || several.Parameters[0].Value != "v1" || several.Parameters[1].Value != "f" {
		t.Errorf("%+v", several.Parameters)
	}
	if diff := cmp.Diff([]string{"/none", "/app/db:9", "a b"}, several.InvalidParameters); diff != "" {
		t.Error(diff)
	}
}

func TestNewVersionKeepsWhatItDoesNotSay(t *testing.T) {
	w := newWorld(t)
	w.put(t, secret.PutParameterInput{Name: "n", Value: "1", Description: "a number", AllowedPattern: `\d+`, Tier: "Advanced", Policies: future, Tags: []secret.Tag{{Key: "a", Value: "b"}}})
	if got := code(w.PutParameter(w.ctx, secret.PutParameterInput{Name: "n", Value: "x", Overwrite: true})); got != "ParameterPatternMismatchException" {
		t.Errorf("against the pattern: %s", got)
	}
	out := must[secret.PutParameterOutput](t)(w.PutParameter(w.ctx, secret.PutParameterInput{Name: "n", Value: "2", Overwrite: true}))
	if out.Version != 2 || out.Tier != "Advanced" {
		t.Errorf("%+v", out)
	}
	list := must[secret.DescribeParametersOutput](t)(w.DescribeParameters(w.ctx, secret.DescribeParametersInput{})).Parameters
	want := []secret.ParameterMetadata{{
		Name: "n", ARN: prefix + "n", Type: "String", LastModifiedUser: kmstest.User("ann"), Description: "a number", AllowedPattern: `\d+`, Version: 2, Tier: "Advanced", DataType: "text",
		Policies: []secret.ParameterInlinePolicy{{PolicyText: future[1 : len(future)-1], PolicyType: "Expiration", PolicyStatus: "Pending"}},
	}}
	if diff := cmp.Diff(want, list, cmpopts.IgnoreFields(secret.ParameterMetadata{}, "LastModifiedDate")); diff != "" {
		t.Error(diff)
	}
	w.put(t, secret.PutParameterInput{Name: "n", Value: "3", Overwrite: true, Policies: "[]"})
	if list := must[secret.DescribeParametersOutput](t)(w.DescribeParameters(w.ctx, secret.DescribeParametersInput{})).Parameters; len(list[0].Policies) != 0 {
		t.Errorf("policies after an empty list: %+v", list[0].Policies)
	}
	history := must[secret.GetParameterHistoryOutput](t)(w.GetParameterHistory(w.ctx, secret.GetParameterHistoryInput{Name: "n"})).Parameters
	if len(history) != 3 || len(history[1].Policies) != 1 || history[0].Value != "1" || history[2].Value != "3" {
		t.Errorf("%+v", history)
	}
}

func TestTiers(t *testing.T) {
	for name, c := range map[string]struct {
		old, tier string
		size      int
		want      string
	}{
		"none given":                 {"", "", 4096, "Standard"},
		"standard":                   {"", "Standard", 1, "Standard"},
		"advanced":                   {"", "Advanced", 8192, "Advanced"},
		"intelligent, small":         {"", "Intelligent-Tiering", 4096, "Standard"},
		"intelligent, large":         {"", "Intelligent-Tiering", 4097, "Advanced"},
		"up":                         {"Standard", "Advanced", 1, "Advanced"},
		"stays up":                   {"Advanced", "", 1, "Advanced"},
		"intelligent stays up":       {"Advanced", "Intelligent-Tiering", 1, "Advanced"},
		"intelligent stays, small":   {"Standard", "Intelligent-Tiering", 1, "Standard"},
		"intelligent, grown to fill": {"Standard", "Intelligent-Tiering", 5000, "Advanced"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.old != "" {
				w.put(t, secret.PutParameterInput{Name: "n", Value: "x", Tier: c.old})
			}
			out := must[secret.PutParameterOutput](t)(w.PutParameter(w.ctx, secret.PutParameterInput{Name: "n", Value: long(c.size), Type: "String", Tier: c.tier, Overwrite: true}))
			if out.Tier != c.want || w.value(t, "n") != long(c.size) {
				t.Errorf("got %s, want %s", out.Tier, c.want)
			}
		})
	}
}

func TestOnlyAHundredVersionsAreKeptAndLabelsHoldTheirs(t *testing.T) {
	w := newWorld(t)
	for i := range 102 {
		w.put(t, secret.PutParameterInput{Name: "n", Value: fmt.Sprint(i + 1), Overwrite: i > 0})
	}
	if got := code(w.GetParameter(w.ctx, secret.GetParameterInput{Name: "n:2"})); got != "ParameterVersionNotFound" {
		t.Errorf("version 2: %s", got)
	}
	if got := w.value(t, "n:3"); got != "3" {
		t.Errorf("version 3: %s", got)
	}
	must[secret.LabelParameterVersionOutput](t)(w.LabelParameterVersion(w.ctx, secret.LabelParameterVersionInput{Name: "n", ParameterVersion: ptr(int64(3)), Labels: []string{"old"}}))
	if got := code(w.PutParameter(w.ctx, secret.PutParameterInput{Name: "n", Value: "x", Overwrite: true})); got != "ParameterMaxVersionLimitExceeded" {
		t.Errorf("over a label: %s", got)
	}
	must[secret.LabelParameterVersionOutput](t)(w.LabelParameterVersion(w.ctx, secret.LabelParameterVersionInput{Name: "n", Labels: []string{"old"}}))
	if got := w.put(t, secret.PutParameterInput{Name: "n", Value: "x", Overwrite: true}); got != 103 {
		t.Errorf("version %d", got)
	}
	var numbers []int64
	in := secret.GetParameterHistoryInput{Name: "n", MaxResults: ptr(30)}
	for {
		out := must[secret.GetParameterHistoryOutput](t)(w.GetParameterHistory(w.ctx, in))
		for _, v := range out.Parameters {
			numbers = append(numbers, v.Version)
		}
		if in.NextToken = out.NextToken; in.NextToken == "" {
			break
		}
	}
	if len(numbers) != 100 || numbers[0] != 4 || numbers[99] != 103 {
		t.Errorf("history: %v", numbers)
	}
}

func TestLabelsMoveAndAreTaken(t *testing.T) {
	w := newWorld(t)
	w.put(t, secret.PutParameterInput{Name: "n", Value: "1"})
	w.put(t, secret.PutParameterInput{Name: "n", Value: "2", Overwrite: true})
	label := func(version int64, labels ...string) secret.LabelParameterVersionOutput {
		t.Helper()
		return must[secret.LabelParameterVersionOutput](t)(w.LabelParameterVersion(w.ctx, secret.LabelParameterVersionInput{Name: "n", ParameterVersion: &version, Labels: labels}))
	}
	out := label(1, "prod", "1st", "awsome", "SSM-x", "a b", "ok_-.")
	if diff := cmp.Diff(secret.LabelParameterVersionOutput{InvalidLabels: []string{"1st", "awsome", "SSM-x", "a b"}, ParameterVersion: 1}, out); diff != "" {
		t.Error(diff)
	}
	label(2, "prod")
	if got := w.value(t, "n:prod"); got != "2" {
		t.Errorf("prod is %s", got)
	}
	label(1, "a", "b", "c", "d", "e", "f", "g", "h", "i")
	if got := code(w.LabelParameterVersion(w.ctx, secret.LabelParameterVersionInput{Name: "n", ParameterVersion: ptr(int64(1)), Labels: []string{"k"}})); got != "ParameterVersionLabelLimitExceeded" {
		t.Errorf("the 11th label: %s", got)
	}
	taken := must[secret.UnlabelParameterVersionOutput](t)(w.UnlabelParameterVersion(w.ctx, secret.UnlabelParameterVersionInput{Name: "n", ParameterVersion: ptr(int64(2)), Labels: []string{"prod", "a"}}))
	if diff := cmp.Diff(secret.UnlabelParameterVersionOutput{RemovedLabels: []string{"prod"}, InvalidLabels: []string{"a"}}, taken); diff != "" {
		t.Error(diff)
	}
	if got := code(w.GetParameter(w.ctx, secret.GetParameterInput{Name: "n:prod"})); got != "ParameterVersionNotFound" {
		t.Errorf("after its end: %s", got)
	}
}

func TestTagsAreAddedReplacedAndTaken(t *testing.T) {
	w := newWorld(t)
	w.put(t, secret.PutParameterInput{Name: "/n", Value: "1", Tags: []secret.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}})
	must[secret.None](t)(w.AddTagsToResource(w.ctx, secret.AddTagsToResourceInput{ResourceType: "Parameter", ResourceId: "/n", Tags: []secret.Tag{{Key: "a", Value: "3"}}}))
	must[secret.None](t)(w.RemoveTagsFromResource(w.ctx, secret.RemoveTagsFromResourceInput{ResourceType: "Parameter", ResourceId: "/n", TagKeys: []string{"b", "c"}}))
	got := must[secret.ListTagsForResourceOutput](t)(w.ListTagsForResource(w.ctx, secret.ListTagsForResourceInput{ResourceType: "Parameter", ResourceId: prefix + "n"})).TagList
	if diff := cmp.Diff([]secret.Tag{{Key: "a", Value: "3"}}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"a": "3"}, w.Tags("/n:1")); diff != "" {
		t.Error(diff)
	}
	w.put(t, secret.PutParameterInput{Name: "/n", Value: "2", Overwrite: true})
	if diff := cmp.Diff(map[string]string{"a": "3"}, w.Tags("/n")); diff != "" {
		t.Errorf("after a new version: %s", diff)
	}
}

func TestDeletedParametersStartAgain(t *testing.T) {
	w := newWorld(t)
	w.all(t, "/a", "/b", "/c")
	must[secret.None](t)(w.DeleteParameter(w.ctx, secret.DeleteParameterInput{Name: "/a"}))
	out := must[secret.DeleteParametersOutput](t)(w.DeleteParameters(w.ctx, secret.DeleteParametersInput{Names: []string{"/a", "/b"}}))
	if diff := cmp.Diff(secret.DeleteParametersOutput{DeletedParameters: []string{"/b"}, InvalidParameters: []string{"/a"}}, out); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"/c"}, w.described(t)); diff != "" {
		t.Error(diff)
	}
	if got := w.put(t, secret.PutParameterInput{Name: "/a", Value: "new"}); got != 1 {
		t.Errorf("version %d after a deletion", got)
	}
}

func TestSecureStrings(t *testing.T) {
	for _, tier := range []string{"Standard", "Advanced"} {
		t.Run(tier, func(t *testing.T) {
			w := newWorld(t)
			w.put(t, secret.PutParameterInput{Name: "/s", Value: "hush", Type: "SecureString", Tier: tier})
			if got := w.value(t, "/s"); got != "hush" {
				t.Errorf("got %q", got)
			}
			sealed := must[secret.GetParameterOutput](t)(w.GetParameter(t.Context(), secret.GetParameterInput{Name: "/s"})).Parameter
			if sealed.Type != "SecureString" || len(sealed.Value) < 80 || sealed.Value == "hush" {
				t.Errorf("without decryption: %+v", sealed)
			}
			list := must[secret.DescribeParametersOutput](t)(w.DescribeParameters(w.ctx, secret.DescribeParametersInput{})).Parameters
			if list[0].KeyId != "alias/aws/ssm" {
				t.Errorf("key %s", list[0].KeyId)
			}
			w.authority.Asks()
			w.value(t, "/s")
			asks := w.authority.Asks()
			if len(asks) != 1 || asks[0].Caller != kmstest.User("ann") || asks[0].Action != "kms:Decrypt" ||
				!cmp.Equal(asks[0].Conditions["kms:ViaService"], []string{"ssm.us-east-1.amazonaws.com"}) ||
				!cmp.Equal(asks[0].Conditions["kms:EncryptionContext:PARAMETER_ARN"], []string{prefix + "s"}) {
				t.Errorf("the key was asked for by %+v", asks)
			}
		})
	}
}

func TestSecureStringUnderAKeyOfOnesOwnFollowsItsPolicy(t *testing.T) {
	w := newWorld(t)
	rootCtx := kmstest.Root(t.Context())
	key := must[kms.CreateKeyOutput](t)(w.keys.CreateKey(rootCtx, kms.CreateKeyInput{})).KeyMetadata
	w.authority.Identity = map[string][]string{kmstest.User("ann"): {"kms:*"}}
	w.put(t, secret.PutParameterInput{Name: "/s", Value: "hush", Type: "SecureString", KeyId: key.Arn})
	if got := w.value(t, "/s"); got != "hush" {
		t.Errorf("ann reads %q", got)
	}
	bob := kmstest.As(t.Context(), kmstest.User("bob"))
	if got := code(w.GetParameter(bob, secret.GetParameterInput{Name: "/s", WithDecryption: true})); got != "AccessDeniedException" {
		t.Errorf("bob: %s", got)
	}
	must[kms.KeyOutput](t)(w.keys.RotateKeyOnDemand(rootCtx, kms.KeyInput{KeyId: key.KeyId}))
	w.put(t, secret.PutParameterInput{Name: "/s", Value: "hush2", Overwrite: true}) // under the same key
	if first, second := w.value(t, "/s:1"), w.value(t, "/s"); first != "hush" || second != "hush2" {
		t.Errorf("after a rotation: %q, %q", first, second)
	}
}

func TestManyWritersGetVersionsOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	w.put(t, secret.PutParameterInput{Name: "/n", Value: "0"})
	var mu sync.Mutex
	seen := map[int64]string{}
	var wait sync.WaitGroup
	for i := range 40 {
		wait.Go(func() {
			value := fmt.Sprint("by ", i)
			out, err := w.PutParameter(w.ctx, secret.PutParameterInput{Name: "/n", Value: value, Overwrite: true})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if seen[out.Version] != "" {
				t.Errorf("version %d was given twice", out.Version)
			}
			seen[out.Version] = value
		})
		wait.Go(func() { // beside readers, and others of its own
			w.PutParameter(w.ctx, secret.PutParameterInput{Name: fmt.Sprint("/m/", i), Value: "x", Type: "String"})
			w.GetParametersByPath(w.ctx, secret.GetParametersByPathInput{Path: "/", Recursive: true})
		})
	}
	wait.Wait()
	for version, value := range seen {
		if got := w.value(t, fmt.Sprint("/n:", version)); got != value {
			t.Errorf("version %d is %q, want %q", version, got, value)
		}
	}
	if got := w.names(t, secret.GetParametersByPathInput{Path: "/m"}); len(seen) != 40 || len(got) != 40 {
		t.Errorf("%d versions, %d others", len(seen), len(got))
	}
}
