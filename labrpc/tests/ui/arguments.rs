// A method takes one value and gives one reply, in one of two forms.

#[labrpc::service]
trait NoArgument {
    fn ask(&self) -> u64;
}

#[labrpc::service]
trait TwoArguments {
    fn ask(&self, one: u64, two: u64) -> u64;
}

#[labrpc::service]
trait NoReply {
    fn ask(&self, args: u64);
}

#[labrpc::service]
trait BothReplies {
    fn ask(&self, args: u64, reply: labrpc::Reply<u64>) -> u64;
}

#[labrpc::service]
trait ReplyFirst {
    fn ask(&self, reply: labrpc::Reply<u64>, args: u64);
}

#[labrpc::service]
trait OnlyReply {
    fn ask(&self, reply: labrpc::Reply<u64>);
}

#[labrpc::service]
trait Pattern {
    fn ask(&self, (one, two): (u64, u64)) -> u64;
}

fn main() {}
