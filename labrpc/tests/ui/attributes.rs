// What stands in the attributes is known or refused.

#[labrpc::service]
trait InlineWithoutReply {
    #[rpc(inline)]
    fn ask(&self, args: u64) -> u64;
}

#[labrpc::service]
trait UnknownOption {
    #[rpc(fast)]
    fn ask(&self, args: u64, reply: labrpc::Reply<u64>);
}

#[labrpc::service]
trait NoOption {
    #[rpc]
    fn ask(&self, args: u64, reply: labrpc::Reply<u64>);
}

#[labrpc::service(rename = "Raft")]
trait UnknownArgument {
    fn ask(&self, args: u64) -> u64;
}

#[labrpc::service("Raft")]
trait NoKey {
    fn ask(&self, args: u64) -> u64;
}

#[labrpc::service(name = "Lab.Raft")]
trait NameWithDot {
    fn ask(&self, args: u64) -> u64;
}

#[labrpc::service(name = 7)]
trait NameIsNumber {
    fn ask(&self, args: u64) -> u64;
}

fn main() {}
