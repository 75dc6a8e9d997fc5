package iam_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/nats-io/nats.go/jetstream"
)

const function = "arn:aws:lambda:us-east-1:000000000000:function:f"

// document is a policy of one statement.
func document(effect, action, resource string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":%q,"Action":%q,"Resource":%q}]}`, effect, action, resource)
}

func bucket(t testing.TB, streams jetstream.JetStream) jetstream.KeyValue {
	t.Helper()
	kv, err := streams.CreateOrUpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: iam.Bucket})
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

// open opens the keys of a directory, and what a bucket stores unless it is nil.
func open(t testing.TB, dir string, kv jetstream.KeyValue) *iam.Authority {
	t.Helper()
	a, err := iam.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	key := sha256.Sum256([]byte(dir)) // stands for the root key
	if a.Sealer, err = iam.NewSealer(key[:]); err != nil {
		t.Fatal(err)
	}
	if kv != nil {
		if err := a.Load(t.Context(), kv); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// fresh is an empty authority with a bucket.
func fresh(t testing.TB) *iam.Authority {
	t.Helper()
	return open(t, t.TempDir(), bucket(t, enginetest.Streams(t)))
}

// must makes a call that has to succeed.
func must[In, Out any](t testing.TB, call func(context.Context, In) (Out, error), in In) Out {
	t.Helper()
	out, err := call(t.Context(), in)
	if err != nil {
		t.Fatalf("%T: %v", in, err)
	}
	return out
}

// refused makes a call that has to fail with a code.
func refused[In, Out any](t testing.TB, call func(context.Context, In) (Out, error), in In, code string) {
	t.Helper()
	if _, err := call(t.Context(), in); fault.CodeOf(err) != code {
		t.Errorf("%+v: got %v (%s), want %s", in, err, fault.CodeOf(err), code)
	}
}

// deployed deploys a function and starts an instance of it.
func deployed(t testing.TB, a *iam.Authority, stack, name string) iam.Credentials {
	t.Helper()
	if err := a.Replace(stack, iam.Declaration{Functions: map[string]string{name: ""}}); err != nil {
		t.Fatal(err)
	}
	c, err := a.Instance(name, "", "i-1")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// as is a context of whoever has the credentials, found by a signed request.
func as(t testing.TB, a *iam.Authority, c iam.Credentials) context.Context {
	t.Helper()
	r, body := signed(t, c, "sns", time.Now())
	who, _, _, err := a.Verify(r, body)
	if err != nil {
		t.Fatal(err)
	}
	return iam.With(t.Context(), who, iam.Request{SourceIP: "127.0.0.1"})
}

func newKey(t testing.TB, a *iam.Authority, user string) iam.Credentials {
	t.Helper()
	k := must(t, a.CreateAccessKey, iam.CreateAccessKeyInput{UserName: user}).AccessKey
	return iam.Credentials{AccessKeyID: k.AccessKeyId, SecretAccessKey: k.SecretAccessKey}
}

func TestADamagedFileIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "credentials"), []byte("[default]\nnothing = here\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := iam.Open(dir)
	if err == nil || !strings.Contains(err.Error(), "credentials") || fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v, want an error that names the file", err)
	}
}

func TestTheKeyIsAFileOfTheOwner(t *testing.T) {
	dir := t.TempDir()
	first, second := open(t, dir, nil), open(t, dir, nil)
	if first.Admin() != second.Admin() {
		t.Error("the keys differ after opening again")
	}
	st, err := os.Stat(filepath.Join(dir, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	if got := st.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %o, want 600", got)
	}
}

func TestEverythingSurvivesARestart(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	kv := bucket(t, enginetest.StreamsIn(t, data))
	a := open(t, dir, kv)
	must(t, a.CreateGroup, iam.CreateGroupInput{GroupName: "readers"})
	must(t, a.PutGroupPolicy, iam.PutGroupPolicyInput{GroupName: "readers", PolicyName: "p", PolicyDocument: document("Allow", "s3:Get*", "*")})
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice", Tags: []iam.Tag{{Key: "team", Value: "red"}}})
	must(t, a.AddUserToGroup, iam.AddUserToGroupInput{UserName: "alice", GroupName: "readers"})
	made := must(t, a.CreatePolicy, iam.CreatePolicyInput{PolicyName: "publish", PolicyDocument: document("Allow", "sns:Publish", "*")}).Policy
	must(t, a.AttachUserPolicy, iam.AttachUserPolicyInput{UserName: "alice", PolicyArn: made.Arn})
	must(t, a.CreateRole, iam.CreateRoleInput{RoleName: "worker", AssumeRolePolicyDocument: trust(`{"AWS":"` + arn.Account + `"}`)})
	must(t, a.PutRolePolicy, iam.PutRolePolicyInput{RoleName: "worker", PolicyName: "p", PolicyDocument: document("Allow", "ssm:*", "*")})
	key := newKey(t, a, "alice")
	gone := newKey(t, a, "alice")
	must(t, a.DeleteAccessKey, iam.DeleteAccessKeyInput{UserName: "alice", AccessKeyId: gone.AccessKeyID})
	admin := as(t, a, a.Admin())
	assumed, err := a.AssumeRole(admin, iam.AssumeRoleInput{RoleArn: arnOf("role/worker"), RoleSessionName: "job"})
	if err != nil {
		t.Fatal(err)
	}
	session := iam.Credentials{AccessKeyID: assumed.Credentials.AccessKeyId, SecretAccessKey: assumed.Credentials.SecretAccessKey, SessionToken: assumed.Credentials.SessionToken}

	b := open(t, dir, kv)
	ctx := as(t, b, key)
	for action, want := range map[string]bool{"s3:GetObject": true, "sns:Publish": true, "ssm:GetParameter": false} {
		if err := b.Authorize(ctx, action, "arn:aws:s3:::b/k", nil); (err == nil) != want {
			t.Errorf("alice, %s: got %v, want allowed %v", action, err, want)
		}
	}
	if err := b.Authorize(as(t, b, session), "ssm:GetParameter", "*", nil); err != nil {
		t.Errorf("a session that began before the restart: %v", err)
	}
	if r, body := signed(t, gone, "sns", time.Now()); verifyCode(b, r, body) != "InvalidClientTokenId" {
		t.Error("a deleted key is back")
	}
	if got := must(t, b.GetUser, iam.GetUserInput{UserName: "alice"}).User; got.Tags[0].Value != "red" || got.Arn != arnOf("user/alice") {
		t.Errorf("got %+v", got)
	}
	// Nothing of this can be read without the root key.
	secretsNotIn(t, data, key.SecretAccessKey, gone.SecretAccessKey, session.SecretAccessKey)
}

// secretsNotIn reads every file below a directory.
func secretsNotIn(t *testing.T, dir string, secrets ...string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		for _, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s has a secret in the clear", path)
			}
		}
		if bytes.Contains(content, []byte("alice")) {
			files++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Error("no file names the user: the test reads the wrong place")
	}
}

func TestAnotherRootKeyOpensNothing(t *testing.T) {
	kv := bucket(t, enginetest.Streams(t))
	a := open(t, t.TempDir(), kv)
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice"})
	newKey(t, a, "alice")
	b := open(t, t.TempDir(), nil)
	if err := b.Load(t.Context(), kv); err == nil || !strings.Contains(err.Error(), "another root key") {
		t.Errorf("got %v, want an error that says why", err)
	}
}

// TestTwoProcesses has two authorities change one user at the same time, each many
// times; no change may be lost.
func TestTwoProcesses(t *testing.T) {
	kv := bucket(t, enginetest.Streams(t))
	dir := t.TempDir()
	a, b := open(t, dir, kv), open(t, dir, kv)
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice"})
	refused(t, b.CreateUser, iam.CreateUserInput{UserName: "Alice"}, "EntityAlreadyExists")
	var g sync.WaitGroup
	for i, one := range []*iam.Authority{a, b} {
		for n := range 20 {
			g.Go(func() {
				_, err := one.TagUser(t.Context(), iam.TagUserInput{UserName: "alice", Tags: []iam.Tag{{Key: fmt.Sprint(i, "-", n), Value: "x"}}})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	g.Wait()
	if got := len(must(t, open(t, dir, kv).ListUserTags, iam.ListUserTagsInput{UserName: "alice"}).Tags); got != 40 {
		t.Errorf("%d tags are left of 40", got)
	}
	key := newKey(t, a, "alice")
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- b.Run(ctx) }()
	knows := func(want string) func() bool {
		return func() bool {
			r, body := signed(t, key, "sns", time.Now())
			return verifyCode(b, r, body) == want
		}
	}
	wait(t, "the other process to know the key", knows(""))
	must(t, a.UpdateAccessKey, iam.UpdateAccessKeyInput{UserName: "alice", AccessKeyId: key.AccessKeyID, Status: "Inactive"})
	wait(t, "the other process to refuse it", knows("InvalidClientTokenId"))
	cancel()
	if err := <-ran; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// wait polls, since another process tells nobody when it has heard.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestARenamedUserKeepsEverything(t *testing.T) {
	kv := bucket(t, enginetest.Streams(t))
	dir := t.TempDir()
	a := open(t, dir, kv)
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice"})
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "bob"})
	must(t, a.PutUserPolicy, iam.PutUserPolicyInput{UserName: "alice", PolicyName: "p", PolicyDocument: document("Allow", "*", "*")})
	key := newKey(t, a, "alice")
	before, err := kv.Get(t.Context(), "user.YWxpY2U") // alice
	if err != nil {
		t.Fatal(err)
	}
	refused(t, a.UpdateUser, iam.UpdateUserInput{UserName: "alice", NewUserName: "BOB"}, "EntityAlreadyExists")
	must(t, a.UpdateUser, iam.UpdateUserInput{UserName: "alice", NewUserName: "eve", NewPath: "/staff/"})
	check := func(a *iam.Authority) {
		t.Helper()
		who, _ := iam.Caller(as(t, a, key))
		if who.Name != "eve" || who.ARN != arnOf("user/staff/eve") {
			t.Errorf("the key is %+v's", who)
		}
		if err := a.Authorize(as(t, a, key), "s3:GetObject", "*", nil); err != nil {
			t.Error(err)
		}
		refused(t, a.GetUser, iam.GetUserInput{UserName: "alice"}, "NoSuchEntity")
	}
	check(a)
	// A crash before the old record was deleted.
	if _, err := kv.Put(t.Context(), "user.YWxpY2U", before.Value()); err != nil {
		t.Fatal(err)
	}
	b := open(t, dir, kv)
	if got := len(must(t, b.ListUsers, iam.ListUsersInput{}).Users); got != 2 {
		t.Errorf("%d users after a crash, want 2", got)
	}
	check(open(t, dir, kv))
}

func arnOf(resource string) string { return "arn:aws:iam::" + arn.Account + ":" + resource }

func trust(principal string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":["sts:AssumeRole","sts:TagSession"]}]}`
}
