package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/testkit"
)

// watched is an endpoint with CloudWatch, and the official client of it.
func watched(t *testing.T) (*world, *metric.Store, *cloudwatch.Client) {
	t.Helper()
	store := &metric.Store{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	if err := store.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w := serve(t, &api.Server{Services: []*api.Service{(&api.CloudWatch{Store: store}).Service()}})
	return w, store, cloudwatch.New(cloudwatch.Options{
		HTTPClient:   testkit.AWSClient(),
		BaseEndpoint: &w.url, Region: "us-east-1", Credentials: provider(w.keys.Admin()), RetryMaxAttempts: 1,
	})
}

func TestTheOfficialCloudWatchClient(t *testing.T) {
	_, store, c := watched(t)
	ctx := t.Context()
	now := time.Now().Truncate(time.Minute)
	host := []types.Dimension{{Name: aws.String("Host"), Value: aws.String("web.1")}}
	var data []types.MetricDatum
	for i := range 200 { // long enough for the client to compress it
		data = append(data, types.MetricDatum{
			MetricName: aws.String("load"), Dimensions: host, Timestamp: aws.Time(now.Add(-time.Duration(i%5) * time.Minute)), Value: aws.Float64(float64(i)),
			Unit: types.StandardUnitPercent,
		})
	}
	data = append(data, types.MetricDatum{MetricName: aws.String("times"), Values: []float64{1, 2}, Counts: []float64{3, 1}, StorageResolution: aws.Int32(1)})
	if _, err := c.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{Namespace: aws.String("App"), MetricData: data}); err != nil {
		t.Fatal(err)
	}
	(&metric.Functions{Store: store}).Ran(metric.Run{Function: "f", Version: "$LATEST", Duration: 20 * time.Millisecond})

	stats, err := c.GetMetricStatistics(ctx, &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String("App"), MetricName: aws.String("load"), Dimensions: host, Period: aws.Int32(60),
		StartTime: aws.Time(now.Add(-10 * time.Minute)), EndTime: aws.Time(now.Add(time.Minute)),
		Statistics: []types.Statistic{types.StatisticSum, types.StatisticSampleCount}, ExtendedStatistics: []string{"p50"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(stats.Datapoints) != 5 {
		t.Fatalf("got %d datapoints, want 5", len(stats.Datapoints))
	}
	last := stats.Datapoints[4]
	if !last.Timestamp.Equal(now) || *last.SampleCount != 40 || *last.Sum != 3900 || last.ExtendedStatistics["p50"] != 95 || last.Unit != types.StandardUnitPercent || last.Average != nil {
		t.Errorf("got %+v", last)
	}

	pages := cloudwatch.NewGetMetricDataPaginator(c, &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(now.Add(-10 * time.Minute)), EndTime: aws.Time(now.Add(time.Minute)), MaxDatapoints: aws.Int32(2), ScanBy: types.ScanByTimestampAscending,
		MetricDataQueries: []types.MetricDataQuery{
			{Id: aws.String("twice"), Expression: aws.String("2 * m"), Label: aws.String("doubled")},
			{Id: aws.String("m"), ReturnData: aws.Bool(false), MetricStat: &types.MetricStat{
				Metric: &types.Metric{Namespace: aws.String("App"), MetricName: aws.String("load"), Dimensions: host}, Period: aws.Int32(60), Stat: aws.String("Maximum"),
			}},
		},
	})
	var values []float64
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, out.MetricDataResults[0].Values...)
	}
	if got, want := fmt.Sprint(values), "[398 396 394 392 390]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}

	var listed []string
	lists := cloudwatch.NewListMetricsPaginator(c, &cloudwatch.ListMetricsInput{RecentlyActive: types.RecentlyActivePt3h})
	for lists.HasMorePages() {
		out, err := lists.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.Metrics {
			listed = append(listed, fmt.Sprintf("%s/%s/%d", *m.Namespace, *m.MetricName, len(m.Dimensions)))
		}
	}
	for _, want := range []string{"App/load/1", "App/times/0", "AWS/Lambda/Duration/1"} {
		if !strings.Contains(strings.Join(listed, " "), want) {
			t.Errorf("%s is not listed, but %q", want, listed)
		}
	}
}

// The client knows an error by its type, programs by the name it has in Query.
func TestCloudWatchErrors(t *testing.T) {
	w, _, c := watched(t)
	_, err := c.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{
		Namespace: aws.String("AWS/Mine"), MetricData: []types.MetricDatum{{MetricName: aws.String("m"), Value: aws.Float64(1)}},
	})
	var typed *types.InvalidParameterValueException
	var named smithy.APIError
	if !errors.As(err, &typed) || !errors.As(err, &named) || named.ErrorCode() != "InvalidParameterValue" || !strings.Contains(named.ErrorMessage(), "AWS/") {
		t.Errorf("got %v", err)
	}
	_, err = c.ListDashboards(t.Context(), &cloudwatch.ListDashboardsInput{})
	if !errors.As(err, &named) || named.ErrorCode() != "NotImplemented" || !strings.Contains(named.ErrorMessage(), "ListDashboards") {
		t.Errorf("got %v, want NotImplemented that names the operation", err)
	}
	fn := cloudwatch.New(cloudwatch.Options{HTTPClient: testkit.AWSClient(), BaseEndpoint: &w.url, Region: "us-east-1", Credentials: provider(w.function), RetryMaxAttempts: 1})
	_, err = fn.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{})
	if !errors.As(err, &named) || named.ErrorCode() != "AccessDenied" || !strings.Contains(named.ErrorMessage(), "cloudwatch:ListMetrics") {
		t.Errorf("got %v, want AccessDenied that names the action", err)
	}
}

// post signs a request as the administrator and sends it.
func (w *world) post(t *testing.T, service, path string, header map[string]string, body []byte) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	keys, err := provider(w.keys.Admin()).Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(t.Context(), keys, r, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	doc, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(doc)
}

func TestOlderProtocolsOfCloudWatch(t *testing.T) {
	w, _, _ := watched(t)
	form := url.Values{
		"Action": {"PutMetricData"}, "Version": {"2010-08-01"}, "Namespace": {"App"}, "MetricData.member.1.MetricName": {"m"},
		"MetricData.member.1.StatisticValues.Sum": {"6"}, "MetricData.member.1.StatisticValues.SampleCount": {"3"},
		"MetricData.member.1.StatisticValues.Minimum": {"1"}, "MetricData.member.1.StatisticValues.Maximum": {"3"},
		"MetricData.member.1.Dimensions.member.1.Name": {"d"}, "MetricData.member.1.Dimensions.member.1.Value": {"v"},
	}
	query := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	if res, doc := w.post(t, "monitoring", "/", query, []byte(form.Encode())); res.StatusCode != 200 {
		t.Fatalf("Query: %d %s", res.StatusCode, doc)
	}
	form.Set("Namespace", "AWS/X")
	if res, doc := w.post(t, "monitoring", "/", query, []byte(form.Encode())); res.StatusCode != 400 || !strings.Contains(doc, "<Code>InvalidParameterValue</Code>") {
		t.Errorf("Query: %d %s", res.StatusCode, doc)
	}
	asked := fmt.Sprintf(`{"Namespace":"App","MetricName":"m","Dimensions":[{"Name":"d","Value":"v"}],"Period":3600,"Statistics":["Average"],"StartTime":%d,"EndTime":%d}`,
		time.Now().Add(-time.Hour).Unix(), time.Now().Add(time.Hour).Unix())
	for text, want := range map[string]string{
		asked:                                  `"Average":2,"Unit":"None"`,
		`{"Namespace":"App","MetricName":"m"}`: `"__type":"MissingRequiredParameterException"`,
	} {
		res, doc := w.post(t, "monitoring", "/", map[string]string{
			"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "GraniteServiceVersion20100801.GetMetricStatistics", "X-Amzn-Query-Mode": "true",
		}, []byte(text))
		if !strings.Contains(doc, want) {
			t.Errorf("JSON: got %d %s, want %s", res.StatusCode, doc, want)
		}
		if res.StatusCode != 200 && res.Header.Get("X-Amzn-Query-Error") != "MissingParameter;Sender" {
			t.Errorf("JSON: the error's other name is %q", res.Header.Get("X-Amzn-Query-Error"))
		}
	}
	res, doc := w.post(t, "monitoring", "/", map[string]string{"Content-Encoding": "gzip", "X-Amz-Target": "GraniteServiceVersion20100801.ListMetrics"}, []byte("{}"))
	if res.StatusCode != 400 || !strings.Contains(doc, "SerializationException") {
		t.Errorf("what is not gzip: %d %s", res.StatusCode, doc)
	}
}
