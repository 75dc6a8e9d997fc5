package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"mime/multipart"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/testkit"
)

// goCommand runs the go command in the package's directory.
func goCommand(args ...string) (string, error) {
	out, err := exec.Command("go", args...).Output()
	return string(out), err
}

// share uploads a file as `curl -F file=@name` does and returns its link.
func share(ctx context.Context, base, name string, content []byte, fields map[string]string) (string, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for k, v := range fields {
		if err := form.WriteField(k, v); err != nil {
			return "", err
		}
	}
	if name != "" {
		part, err := form.CreateFormFile("file", name)
		if err != nil {
			return "", err
		}
		if _, err := part.Write(content); err != nil {
			return "", err
		}
	}
	if err := form.Close(); err != nil {
		return "", err
	}
	return post(ctx, http.MethodPost, base+"/", form.FormDataContentType(), &body)
}

// post sends a body and returns the link that comes back.
func post(ctx context.Context, method, url, contentType string, body io.Reader) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	doc, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s %s: %s: %s", method, url, resp.Status, doc)
	}
	return strings.TrimSpace(string(doc)), nil
}

// visitor is the tests' client; it follows no redirect.
var visitor = testkit.Client()

// get fetches a URL without following redirects.
func get(ctx context.Context, url string, header ...string) (status int, h http.Header, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, nil, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := visitor.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, body, err
}

func mustGet(t testing.TB, url string, header ...string) (int, http.Header, []byte) {
	t.Helper()
	status, h, body, err := get(t.Context(), url, header...)
	if err != nil {
		t.Fatal(err)
	}
	return status, h, body
}

// eventually asks until cond says true; the test fails with what it last said
// when that takes over a minute.
func eventually(t testing.TB, what string, cond func() (bool, string)) {
	t.Helper()
	var last string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		ok, why := cond()
		if ok {
			return
		}
		last = why
	}
	t.Fatalf("%s: still not so after a minute; last: %s", what, last)
}

// code is the last part of a link.
func code(link string) string { return link[strings.LastIndex(link, "/")+1:] }

// drop reads a drop's JSON as its owner.
func drop(t testing.TB, base, code string) map[string]any {
	t.Helper()
	status, _, body := mustGet(t, base+"/drops/"+code, "Accept", "application/json")
	if status != http.StatusOK {
		t.Fatalf("GET /drops/%s: %d %s", code, status, body)
	}
	var d map[string]any
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// photo is a JPEG with something to see in it.
func photo(width, height int) []byte {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetRGBA(x, y, color.RGBA{uint8(x * 255 / width), uint8(y * 255 / height), uint8((x ^ y) & 255), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 85}); err != nil {
		panic(err) // an encoder that fails on memory is not this test's matter
	}
	return b.Bytes()
}

// admin is a client with the administrator's key.
func admin(t testing.TB, p *testkit.Platform) *api.Client {
	t.Helper()
	keys, err := iam.ReadCredentials(p.Dir + "/credentials")
	if err != nil {
		t.Fatal(err)
	}
	c := &api.Client{Endpoint: p.AWS}
	c.Keys.AccessKeyID, c.Keys.SecretAccessKey = keys.AccessKeyID, keys.SecretAccessKey
	return c
}

// invoke runs a function and decodes what it returns.
func invoke(t testing.TB, p *testkit.Platform, name, payload string, out any) {
	t.Helper()
	result, err := admin(t, p).Invoke(t.Context(), name, []byte(payload), false)
	if err == nil && result.FunctionError != "" {
		err = errors.New(string(result.Payload))
	}
	if err == nil && out != nil {
		err = json.Unmarshal(result.Payload, out)
	}
	if err != nil {
		t.Fatalf("invoke %s: %v", name, err)
	}
}
