// A Go client for test_go_client.py. For each number on stdin it makes so many calls over its one channel, and prints
// what became of them as JSON: how many each backend has answered, or failed with which words.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver/dns"
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

func call(conn *grpc.ClientConn) string {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	var reply []byte
	err := conn.Invoke(ctx, "/helloworld.Greeter/SayHello", []byte{}, &reply, grpc.ForceCodec(raw{}))
	if err != nil {
		return err.Error()
	}
	return backend(reply)
}

func main() {
	target, cooldown := os.Args[1], os.Args[2]
	pause, err := time.ParseDuration(cooldown)
	if err != nil {
		log.Fatal(err)
	}
	dns.SetMinResolutionInterval(pause)
	conn, err := grpc.NewClient(target,
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"grpclb":{"childPolicy":[{"round_robin":{}}]}}]}`),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer conn.Close()
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		calls, err := strconv.Atoi(input.Text())
		if err != nil {
			log.Fatal(err)
		}
		became := map[string]int{}
		for range calls {
			became[call(conn)]++
		}
		line, err := json.Marshal(became)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(line))
	}
}
