// A Go client for test_go_client.py, with the bootstrap that the environment names, as Python's. For each line on stdin,
// a number and perhaps metadata (`20 user=ann`), it makes so many calls over its one channel, and prints what became of
// them as JSON: how many each backend has answered, or failed with which words.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/credentials/xds"
	"google.golang.org/grpc/metadata"
	_ "google.golang.org/grpc/xds" // registers the resolver of xds:///NAME, and the policies
	"google.golang.org/protobuf/encoding/protowire"
)

// raw takes messages as they are on the wire, so that no code need be generated for this program.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return v.([]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (raw) Name() string { return "proto" }

const backendIP = 2 // HelloReply's field

func backend(reply []byte) string {
	for len(reply) > 0 {
		number, kind, length := protowire.ConsumeTag(reply)
		reply = reply[length:]
		if number == backendIP {
			value, _ := protowire.ConsumeBytes(reply)
			return string(value)
		}
		reply = reply[protowire.ConsumeFieldValue(number, kind, reply):]
	}
	return "?"
}

func call(conn *grpc.ClientConn, headers metadata.MD) string {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second) // xDS itself waits for 15 s
	defer cancel()
	var reply []byte
	ctx = metadata.NewOutgoingContext(ctx, headers)
	err := conn.Invoke(ctx, "/helloworld.Greeter/SayHello", []byte{}, &reply, grpc.ForceCodec(raw{}))
	if err != nil {
		return err.Error()
	}
	return backend(reply)
}

func main() {
	// The control plane says whether there is TLS; where it doesn't, there is none.
	credentials, err := xds.NewClientCredentials(xds.ClientOptions{FallbackCreds: insecure.NewCredentials()})
	if err != nil {
		log.Fatal(err)
	}
	conn, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(credentials))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer conn.Close()
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		words := strings.Fields(input.Text())
		calls, err := strconv.Atoi(words[0])
		if err != nil {
			log.Fatal(err)
		}
		headers := metadata.MD{}
		for _, pair := range words[1:] {
			key, value, _ := strings.Cut(pair, "=")
			headers.Append(key, value)
		}
		became := map[string]int{}
		for range calls {
			became[call(conn, headers)]++
		}
		line, err := json.Marshal(became)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(line))
	}
}
